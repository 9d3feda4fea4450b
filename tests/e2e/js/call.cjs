// One call through the AWS SDK for JavaScript v3, unmodified: node call.cjs SERVICE OPERATION [JSON]
// Prints {"ok": true, "answer": ...} or {"ok": false, "name", "message", "status", "requestId"}.
// Bytes are written {"$base64": "..."} both ways.
"use strict";

const isBytes = (value) => value instanceof Uint8Array;

function revive(value) {
  if (Array.isArray(value)) return value.map(revive);
  if (value === null || typeof value !== "object") return value;
  if (typeof value.$base64 === "string") return Buffer.from(value.$base64, "base64");
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, revive(inner)]));
}

function plain(value) {
  if (isBytes(value)) return { $base64: Buffer.from(value).toString("base64") };
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, plain(inner)]));
}

async function main([service, operation, input = "{}"]) {
  const sdk = require(`@aws-sdk/client-${service}`);
  const clientName = Object.keys(sdk).find((name) => name.toLowerCase() === `${service}client`);
  const client = new sdk[clientName]({});
  try {
    const answer = await client.send(new sdk[`${operation}Command`](revive(JSON.parse(input))));
    return { ok: true, answer: plain(answer) };
  } catch (error) {
    if (!error.$metadata?.httpStatusCode) throw error; // a fault of this script, not an answer of the server
    const { httpStatusCode: status, requestId } = error.$metadata;
    return { ok: false, name: error.name, message: error.message, status, requestId };
  }
}

main(process.argv.slice(2)).then(
  (result) => console.log(JSON.stringify(result)),
  (error) => {
    console.error(error);
    process.exitCode = 1;
  },
);
