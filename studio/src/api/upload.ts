/** Sends a file and tells how far it is, which fetch cannot. */

import { headers } from "./client";
import { faultOf, unreachable } from "./fault";

export interface Sending {
  done: Promise<void>;
  stop: () => void;
}

/** what: told the share that was sent, 0 to 1. Rejects with a Fault; resolves when the server has the whole file. */
export function send(file: File, name: string, told: (share: number) => void): Sending {
  const request = new XMLHttpRequest();
  const done = new Promise<void>((resolve, reject) => {
    request.open("PUT", `/v1/datasets/${encodeURIComponent(name)}`);
    for (const [header, value] of Object.entries(headers())) request.setRequestHeader(header, value);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.upload.onprogress = (event) => told(event.total ? event.loaded / event.total : 0);
    request.onload = () => (request.status < 300 ? resolve() : reject(faultOf(parsed(request.responseText), request.status)));
    request.onerror = () => reject(unreachable());
    request.onabort = () => resolve();
  });
  request.send(file);
  return { done, stop: () => request.abort() };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
