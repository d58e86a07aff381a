/** Text that a model wrote, as Markdown. It is hostile until shown otherwise: nothing in it loads, runs, or posts. */

import DOMPurify from "dompurify";
import { marked } from "marked";
import { useMemo } from "react";

const TAGS = [
  "p", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "strong", "em", "del", "code", "pre", "blockquote", "ul", "ol", "li",
  "table", "thead", "tbody", "tr", "th", "td", "a",
];
const LINKS = /^https?:\/\//i;

/** Markdown as HTML that may be put on the page: no images, styles, forms, scripts, ids; links to the web only. */
export function sanitised(text: string): string {
  const html = marked.parse(text, { async: false, gfm: true, breaks: true });
  return DOMPurify.sanitize(html, { ALLOWED_TAGS: TAGS, ALLOWED_ATTR: ["href"], ALLOWED_URI_REGEXP: LINKS });
}

export function Markdown({ text }: { text: string }) {
  const html = useMemo(() => sanitised(text), [text]);
  return <div className="markdown" dir="auto" dangerouslySetInnerHTML={{ __html: html }} />;
}
