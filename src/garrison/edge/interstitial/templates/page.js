"use strict";
(() => {
  const facts = JSON.parse(document.body.dataset.facts);
  const say = (text) => { document.getElementById("message").textContent = text; };
  const byId = (id) => document.getElementById(id);

  // SHA-256 (FIPS 180-4) of ASCII texts of at most 55 characters, which are one block: the hash of the work. Browsers have one of
  // their own only on secure origins, and the work is checked by the server; nothing is kept secret by this.
  const primes = [];
  for (let n = 2; primes.length < 64; n += 1) {
    if (primes.every((prime) => n % prime)) primes.push(n);
  }
  const fraction = (x) => ((x - Math.floor(x)) * 4294967296) | 0;
  const K = Int32Array.from(primes, (prime) => fraction(Math.cbrt(prime)));
  const H = Int32Array.from(primes.slice(0, 8), (prime) => fraction(Math.sqrt(prime)));
  const W = new Int32Array(64);
  const state = new Int32Array(8);
  const turn = (x, n) => (x >>> n) | (x << (32 - n));

  function hash(text) {
    W.fill(0, 0, 16);
    for (let i = 0; i < text.length; i += 1) W[i >> 2] |= text.charCodeAt(i) << (24 - (i % 4) * 8);
    W[text.length >> 2] |= 0x80 << (24 - (text.length % 4) * 8);
    W[15] = text.length * 8;
    for (let i = 16; i < 64; i += 1) {
      const near = turn(W[i - 15], 7) ^ turn(W[i - 15], 18) ^ (W[i - 15] >>> 3);
      const far = turn(W[i - 2], 17) ^ turn(W[i - 2], 19) ^ (W[i - 2] >>> 10);
      W[i] = (W[i - 16] + near + W[i - 7] + far) | 0;
    }
    let [a, b, c, d, e, f, g, h] = H;
    for (let i = 0; i < 64; i += 1) {
      const one = (h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + K[i] + W[i]) | 0;
      const two = ((turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      h = g; g = f; f = e; e = (d + one) | 0; d = c; c = b; b = a; a = (one + two) | 0;
    }
    state.set([a, b, c, d, e, f, g, h]);
    for (let i = 0; i < 8; i += 1) state[i] = (state[i] + H[i]) | 0;
    return state;
  }

  const pause = () => new Promise((done) => { setTimeout(done, 0); });

  async function work(puzzle) {
    const numbers = [];
    let rest = performance.now();
    for (let part = 0; part < puzzle.parts; part += 1) {
      let number = 0;
      while (hash(`${puzzle.seed}:${part}:${number}`)[0] >>> (32 - puzzle.bits)) {
        number += 1;
        // The page stays alive meanwhile, on the slowest of devices.
        if (number % 256 === 0 && performance.now() - rest > 30) {
          await pause();
          rest = performance.now();
        }
      }
      numbers.push(number);
      if (byId("progress")) byId("progress").value = (part + 1) / puzzle.parts;
    }
    return numbers;
  }

  async function ask(path, options) {
    const answer = await fetch(facts.prefix + path, { credentials: "same-origin", cache: "no-store", ...options });
    let found = {};
    try { found = await answer.json(); } catch { /* what is no JSON says nothing */ }
    return { good: answer.ok, ...found };
  }

  const send = (numbers, typed) => ask("solution", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ puzzle: facts.puzzle, work: numbers, typed }),
  });

  // A browser that keeps no cookies would go round for ever.
  function goOn() {
    let rounds = 0;
    try {
      const [when, count] = (sessionStorage.getItem("waf") || "0 0").split(" ").map(Number);
      rounds = Date.now() - when < 60000 ? count + 1 : 1;
      sessionStorage.setItem("waf", `${Date.now()} ${rounds}`);
    } catch { /* a browser without storage may still keep the cookie, which is looked for below */ }
    if (rounds > 4 || !document.cookie.includes(`${facts.cookie}=`)) {
      say("Your browser keeps no cookie of this site. Please allow cookies, and load the page again.");
      return;
    }
    location.reload();
  }

  const words = {
    wrong: "These were not the characters. Here is another picture.",
    expired: "That took too long. Here is another one.",
    busy: "There were too many attempts. Please wait a few minutes.",
  };

  async function renew() {
    Object.assign(facts, await ask(`puzzle?kind=${facts.kind}`));
    if (facts.kind === "captcha") show();
  }

  async function challenge() {
    for (let attempt = 0; attempt < 3; attempt += 1) {
      const answer = await send(await work(facts));
      if (answer.good) { goOn(); return; }
      await renew();
    }
    say("Your browser could not be checked. Please load the page again.");
  }

  function show() {
    const address = `puzzle=${encodeURIComponent(facts.puzzle)}`;
    byId("picture").src = `${facts.prefix}picture?${address}`;
    byId("picture").hidden = false;
    byId("recording").hidden = true;
    byId("recording").removeAttribute("src");
    byId("typed").value = "";
    byId("typed").focus();
  }

  function captcha() {
    // The work is done while somebody reads and types.
    let working = work(facts);
    const another = async () => { await renew(); working = work(facts); };
    byId("another").addEventListener("click", () => { say(""); another(); });
    byId("listen").addEventListener("click", () => {
      const player = byId("recording");
      player.src = `${facts.prefix}recording?puzzle=${encodeURIComponent(facts.puzzle)}`;
      player.hidden = false;
      player.play();
      say("Type the digits that you hear.");
      byId("typed").focus();
    });
    byId("captcha").addEventListener("submit", async (event) => {
      event.preventDefault();
      byId("send").disabled = true;
      const answer = await send(await working, byId("typed").value);
      if (answer.good) { goOn(); return; }
      if (answer.error !== "busy") await another();
      say(words[answer.error] || words.expired);
      byId("send").disabled = false;
    });
    byId("typed").focus();
  }

  const failed = () => say("The connection failed. Please load the page again.");
  if (facts.kind === "challenge") challenge().catch(failed);
  else if (byId("captcha")) captcha();
})();
