/** A question to the model of the guided run, and what it answers. */

import { useState } from "react";
import { answered, client } from "../../api/client";
import { useAct } from "../../api/useAct";
import { sends } from "../../parts/entering";
import { Markdown } from "../../parts/Markdown";
import { Trouble } from "../../parts/Trouble";
import { useWords } from "../../words";

interface Turn {
  question: string;
  answer: string;
}

export function Talk({ model }: { model: string }) {
  const words = useWords();
  const act = useAct();
  const [question, setQuestion] = useState("");
  const [turns, setTurns] = useState<Turn[]>([]);
  const ask = (text: string) =>
    act.run(async () => {
      const body = { model, messages: [{ role: "user" as const, content: text }], temperature: 0, max_tokens: 60 };
      const found = await answered(client.POST("/v1/chat/completions", { body }));
      setTurns((before) => [...before, { question: text, answer: answerOf(found) }]);
      setQuestion("");
    });
  const send = () => void (question.trim() && !act.busy && ask(question.trim()));
  return (
    <div className="talk">
      <h3>{words.say("talk.title")}</h3>
      <p className="soft">{words.say("talk.lead")}</p>
      <ol aria-live="polite">
        {turns.map((turn, number) => (
          <li key={number}>
            <p dir="auto">
              <b>{turn.question}</b>
            </p>
            <Markdown text={turn.answer} />
          </li>
        ))}
      </ol>
      <form
        className="line"
        onSubmit={(event) => {
          event.preventDefault();
          send();
        }}
      >
        <textarea
          rows={1}
          aria-label={words.say("talk.question")}
          placeholder={words.say("talk.example")}
          value={question}
          dir="auto"
          onChange={(event) => setQuestion(event.target.value)}
          onKeyDown={(event) => {
            if (sends(event)) {
              event.preventDefault();
              send();
            }
          }}
        />
        <button className="main" disabled={act.busy || !question.trim()}>
          {words.say("talk.ask")}
        </button>
      </form>
      <Trouble fault={act.fault} />
    </div>
  );
}

/** The text of an answer. */
function answerOf(found: unknown): string {
  const { choices } = found as { choices: { message: { content: string | null } }[] };
  return choices[0]?.message.content ?? "";
}
