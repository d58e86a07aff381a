// llama.cpp, as node-llama-cpp brings it, as many sequences side by side as there are prompts.
//
//     node llama_cpp.mjs NODE_MODULES MODEL.gguf THREADS
//
// Reads jobs as lines of JSON and answers each with a line: {prompts, tokens, at} with what was made and the seconds it
// took, without those of making room for the sequences; {prompt, top} with the likeliest next tokens and their shares.

import path from "node:path";
import readline from "node:readline";
import {pathToFileURL} from "node:url";

const MOST = 32; // prompts that are written at the same time, as with the others

const [modules, file, threads] = process.argv.slice(2);
const {getLlama} = await import(pathToFileURL(path.join(modules, "node-llama-cpp", "dist", "index.js")));
const llama = await getLlama({gpu: false, build: "never", maxThreads: Number(threads), logLevel: "error"});
const model = await llama.loadModel({modelPath: file});
const rooms = new Map();

async function room(count, size) {
    const key = `${count} ${size}`;
    if (!rooms.has(key)) {
        const context = await model.createContext({sequences: count, contextSize: size, threads: Number(threads)});
        rooms.set(key, Array.from({length: count}, () => context.getSequence()));
    }
    return rooms.get(key);
}

async function write(sequence, prompt, tokens) {
    await sequence.clearHistory();
    const ids = [];
    for await (const id of sequence.evaluate(prompt, {temperature: 0, yieldEogToken: true})) {
        ids.push(id);
        if (ids.length === tokens)
            break;
    }
    return ids;
}

async function all({prompts, tokens, at}) {
    const longest = Math.max(...prompts.map((prompt) => prompt.length));
    const free = [...await room(Math.min(prompts.length, MOST), longest + tokens + 8)];
    const waiting = [];
    const began = performance.now();
    const ids = await Promise.all(prompts.map(async (prompt, number) => {
        const due = began + 1000 * (at[number] ?? 0) - performance.now();
        if (due > 0)
            await new Promise((resolve) => setTimeout(resolve, due));
        const sequence = free.pop() ?? await new Promise((resolve) => waiting.push(resolve));
        const made = await write(sequence, prompt, tokens);
        const next = waiting.shift();
        if (next === undefined)
            free.push(sequence);
        else
            next(sequence);
        return made;
    }));
    const seconds = (performance.now() - began) / 1000;
    return {made: ids.reduce((sum, one) => sum + one.length, 0), seconds, first: ids[0].slice(0, 8)};
}

async function likeliest({prompt, top}) {
    const [sequence] = await room(1, prompt.length + 8);
    await sequence.clearHistory();
    for await (const {probabilities} of sequence.evaluateWithMetadata(prompt, {probabilities: true}, {temperature: 0}))
        return {top: [...probabilities].slice(0, top)};
}

console.log(JSON.stringify({system: llama.systemInfo}));
for await (const line of readline.createInterface({input: process.stdin})) {
    const job = JSON.parse(line);
    console.log(JSON.stringify("prompt" in job ? await likeliest(job) : await all(job)));
}
await llama.dispose();
