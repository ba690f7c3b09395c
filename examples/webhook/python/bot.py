#!/usr/bin/env python3
"""A bot for Cordboard in Python: the standard library and nothing else.

    CORDBOARD_SECRET=whsec_... python3 bot.py [port]

It answers in the response, except to "slow": then it takes the turn (202) and answers later by a callback to GATEWAY.
"""
import base64, hashlib, hmac, json, os, sys, threading, time, urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

if "CORDBOARD_SECRET" not in os.environ:
    sys.exit('set CORDBOARD_SECRET, the same here and for Cordboard: export CORDBOARD_SECRET="whsec_$(openssl rand -base64 32)"')
SECRET = base64.b64decode(os.environ["CORDBOARD_SECRET"].removeprefix("whsec_"))
GATEWAY = os.environ.get("GATEWAY", "http://127.0.0.1:8080")
THINKING_S = float(os.environ.get("THINKING_S", 5))  # How long the answer to "slow" takes.
REMEMBERED = 1000  # So many turns are remembered. A bot that acts on something keeps them in its database.


def sign(id, timestamp, body):
    digest = hmac.new(SECRET, f"{id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


def authentic(headers, body):
    id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not timestamp.isdigit() or abs(time.time() - int(timestamp)) > 300:
        return False
    expected = sign(id, timestamp, body).encode()
    return any(hmac.compare_digest(expected, given.encode()) for given in headers.get("webhook-signature", "").split())


def reply_to(question):
    """The bot itself: a question in, a reply out. None: it takes the turn and answers later."""
    said = question["input"].get("payload") or question["input"].get("text", "")
    count = (question.get("engine_state") or {}).get("count", 0) + 1
    if said == "slow":
        return None
    if "human" in said.lower():
        return {"items": [{"kind": "text", "text": "I will get you a colleague."}],
                "next": {"kind": "handoff", "reason": "customer_asked", "note_to_agent": f"Last words: {said}"}}
    if "bye" in said.lower():
        return {"items": [{"kind": "text", "text": "Goodbye!"}], "next": {"kind": "end"},
                "nlu": {"intent": {"name": "Goodbye", "confidence": 1}, "slots": {"messages": count}}}
    return {"items": [{"kind": "text", "text": f"Message {count}: {said}"},
                      {"kind": "choices", "prompt": "What next?", "options": [
                          {"label": "A human, please", "action": {"kind": "postback", "value": "human"}},
                          {"label": "Bye"}]}],
            "engine_state": {"count": count}}


answered, lock = {}, threading.Lock()


def answer_once(question):
    """A turn that is asked again gets the answer it got before, and nothing is done twice."""
    turn = question["turn"]["id"]
    with lock:
        if turn not in answered:
            answered[turn] = reply_to(question)
            if answered[turn] is None:
                threading.Thread(target=call_back, args=[question]).start()
            while len(answered) > REMEMBERED:
                answered.pop(next(iter(answered)))
        return answered[turn]


def call_back(question):
    """Answers a turn later. The same id at every attempt, so that a retry is recognised."""
    time.sleep(THINKING_S)
    turn = question["turn"]["id"]
    id, body = f"answer-to-{turn}", json.dumps({"in_reply_to": turn, "text": "Here I am."}).encode()
    url = f"{GATEWAY}/v1/engine/conversations/{question['conversation']['id']}/replies"
    for wait_s in (1, 5, 30, None):
        timestamp = str(int(time.time()))
        headers = {"content-type": "application/json", "webhook-id": id, "webhook-timestamp": timestamp,
                   "webhook-signature": sign(id, timestamp, body)}
        try:
            return urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=10).close()
        except OSError as error:
            if wait_s is None or 400 <= getattr(error, "code", 500) < 500:
                return print("not delivered:", error, file=sys.stderr)
            time.sleep(wait_s)


class Bot(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        if not authentic(self.headers, body):
            return self.answer(401)
        question = json.loads(body)
        if "turn" not in question:  # A notice: opened, ended, handed over, returned.
            return self.answer(204)
        reply = answer_once(question)
        self.answer(200 if reply else 202, reply)

    def answer(self, status, reply=None):
        body = json.dumps(reply).encode() if reply else b""
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass  # The default writes every request line to standard error.


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int((sys.argv[1:] or [9000])[0])), Bot)
    print(f"listening on http://127.0.0.1:{server.server_port}/", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
