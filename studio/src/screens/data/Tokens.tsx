/** A text cut into tokens: each a tile, with its number and bytes beneath the pointer. */

import { answered, client } from "../../api/client";
import { useAsked } from "../../api/useAsked";
import { Trouble } from "../../parts/Trouble";
import { useWords } from "../../words";

const LONGEST = 4000; // characters of a row that are cut

export function Tokens({ by, text }: { by: string; text: string }) {
  const words = useWords();
  const body = { text: text.slice(0, LONGEST) };
  const found = useAsked(
    (signal) => answered(client.POST("/v1/runs/{name}/tokens", { params: { path: { name: by } }, body, signal })),
    JSON.stringify([by, text]),
  );
  if (!found.data) return found.fault ? <Trouble fault={found.fault} again={found.again} /> : <p className="soft">{text}</p>;
  const { pieces, tokens, bytes_per_token, unknown } = found.data;
  return (
    <>
      <p className="tokens" dir="auto">
        {pieces.map((piece, number) => (
          <span key={number} title={`${piece.id} · ${piece.bytes || piece.token}`} className={kindOf(piece)}>
            {piece.text ?? `‹${piece.bytes}›`}
          </span>
        ))}
      </p>
      <small className="soft">
        {words.say("tokens.count", { count: tokens })} · {words.say("tokens.bytes", { bytes: bytes_per_token })}
        {unknown > 0 && ` · ${words.say("tokens.unknown", { count: unknown })}`}
      </small>
    </>
  );
}

const kindOf = (piece: { special: boolean; unknown: boolean }): string =>
  piece.special ? "special" : piece.unknown ? "unknown" : "";
