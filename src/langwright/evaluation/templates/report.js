// The language switch. Without scripts the page stays in the language it was made in.
(function () {
  const root = document.documentElement;
  const titles = {};
  for (const lang of ["zh", "en"]) {
    const words = document.querySelector("h1 ." + lang) || document.querySelector("h1");
    titles[lang] = words.textContent;
  }
  function show(lang) {
    root.dataset.lang = lang;
    root.lang = lang === "zh" ? "zh-CN" : "en";
    document.title = titles[lang];
    for (const button of document.querySelectorAll(".switch button")) {
      button.setAttribute("aria-pressed", String(button.dataset.to === lang));
    }
  }
  for (const button of document.querySelectorAll(".switch button")) {
    button.addEventListener("click", () => show(button.dataset.to));
  }
  show(root.dataset.lang);
})();
