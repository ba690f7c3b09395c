#!/usr/bin/env node
// A bot for Cordboard in JavaScript: Node.js 18 or later and no package.
//
//     CORDBOARD_SECRET=whsec_... node bot.mjs [port]
//
// It answers in the response, except to "slow": then it takes the turn (202) and answers later by a callback to GATEWAY.
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

if (!process.env.CORDBOARD_SECRET) {
  console.error('set CORDBOARD_SECRET, the same here and for Cordboard: export CORDBOARD_SECRET="whsec_$(openssl rand -base64 32)"');
  process.exit(1);
}
const SECRET = Buffer.from(process.env.CORDBOARD_SECRET.replace(/^whsec_/, ""), "base64");
const GATEWAY = process.env.GATEWAY ?? "http://127.0.0.1:8080";
const THINKING_MS = Number(process.env.THINKING_S ?? 5) * 1000; // How long the answer to "slow" takes.
const REMEMBERED = 1000; // So many turns are remembered. A bot that acts on something keeps them in its database.

function sign(id, timestamp, body) {
  return "v1," + createHmac("sha256", SECRET).update(`${id}.${timestamp}.`).update(body).digest("base64");
}

function authentic(headers, body) {
  const id = headers["webhook-id"] ?? "";
  const timestamp = headers["webhook-timestamp"] ?? "";
  if (!/^\d+$/.test(timestamp) || Math.abs(Date.now() / 1000 - Number(timestamp)) > 300) return false;
  const expected = Buffer.from(sign(id, timestamp, body));
  return (headers["webhook-signature"] ?? "").split(" ").map((given) => Buffer.from(given))
    .some((given) => given.length === expected.length && timingSafeEqual(given, expected));
}

// The bot itself: a question in, a reply out. null: it takes the turn and answers later.
function replyTo(question) {
  const said = question.input.payload ?? question.input.text ?? "";
  const count = (question.engine_state?.count ?? 0) + 1;
  if (said === "slow") return null;
  if (said.toLowerCase().includes("human")) {
    return { items: [{ kind: "text", text: "I will get you a colleague." }],
             next: { kind: "handoff", reason: "customer_asked", note_to_agent: `Last words: ${said}` } };
  }
  if (said.toLowerCase().includes("bye")) {
    return { items: [{ kind: "text", text: "Goodbye!" }], next: { kind: "end" },
             nlu: { intent: { name: "Goodbye", confidence: 1 }, slots: { messages: count } } };
  }
  return { items: [{ kind: "text", text: `Message ${count}: ${said}` },
                   { kind: "choices", prompt: "What next?", options: [
                     { label: "A human, please", action: { kind: "postback", value: "human" } },
                     { label: "Bye" }] }],
           engine_state: { count } };
}

const answered = new Map();

// A turn that is asked again gets the answer it got before, and nothing is done twice.
function answerOnce(question) {
  const turn = question.turn.id;
  if (!answered.has(turn)) {
    answered.set(turn, replyTo(question));
    if (answered.get(turn) === null) callBack(question);
    while (answered.size > REMEMBERED) answered.delete(answered.keys().next().value);
  }
  return answered.get(turn);
}

// Answers a turn later. The same id at every attempt, so that a retry is recognised.
async function callBack(question) {
  await sleep(THINKING_MS);
  const turn = question.turn.id;
  const id = `answer-to-${turn}`;
  const body = JSON.stringify({ in_reply_to: turn, text: "Here I am." });
  const url = `${GATEWAY}/v1/engine/conversations/${question.conversation.id}/replies`;
  for (const waitMs of [1000, 5000, 30000, null]) {
    const timestamp = String(Math.floor(Date.now() / 1000));
    const headers = { "content-type": "application/json", "webhook-id": id, "webhook-timestamp": timestamp,
                      "webhook-signature": sign(id, timestamp, body) };
    const status = await fetch(url, { method: "POST", body, headers, signal: AbortSignal.timeout(10000) })
      .then((got) => got.status, () => 0);
    if (status >= 200 && status < 300) return;
    if (waitMs === null || (status >= 400 && status < 500)) return console.error("not delivered:", status);
    await sleep(waitMs);
  }
}

async function answer(request, response) {
  const pieces = [];
  for await (const piece of request) pieces.push(piece);
  const body = Buffer.concat(pieces);
  if (!authentic(request.headers, body)) return response.writeHead(401).end();
  const question = JSON.parse(body);
  if (!question.turn) return response.writeHead(204).end(); // A notice: opened, ended, handed over, returned.
  const reply = answerOnce(question);
  if (reply === null) return response.writeHead(202).end();
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(reply));
}

const server = createServer((request, response) => {
  answer(request, response).catch(() => response.headersSent ? response.destroy() : response.writeHead(500).end());
});
server.listen(Number(process.argv[2] ?? 9000), "127.0.0.1", () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}/`);
});
