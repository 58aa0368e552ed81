// Live captions: reads the lines of /v1/listen and shows them. All that comes from the daemon
// is set as text, and the page is drawn at most once a frame.
"use strict";

(() => {
  // Lines that are kept; those that scrolled away longer ago are forgotten.
  const MOST_LINES = 200;
  // Decibels at which the level's bar is empty.
  const SILENCE_DB = -60;
  // Milliseconds before the daemon is asked again, and the longest.
  const FIRST_WAIT = 1000;
  const LONGEST_WAIT = 15000;
  // Milliseconds that a note stands.
  const NOTE_TIME = 6000;
  // Milliseconds without even a sign of life, which comes four times as often.
  const LONGEST_SILENCE = 60000;
  // Characters of a line; the longest has some thousands.
  const LONGEST_LINE = 1 << 20;
  // Pixels from the bottom that still count as being there.
  const NEAR = 48;

  const part = (id) => document.getElementById(id);
  const [sign, words, lines, live, stable, tentative, empty, note, mute, rms, peak, scroll, hint] = [
    "sign", "words", "lines", "live", "stable", "tentative", "empty", "note", "mute", "rms",
    "peak", "scroll", "hint",
  ].map(part);

  // What each state is called, with its sign, and what to do about it.
  const STATES = {
    waiting: ["…", "Connecting"],
    on: ["●", "Listening"],
    opening: ["…", "The microphone is being opened"],
    muted: ["✕", "The microphone is muted", "Unmute it at its switch, if it has one, or by: earnest microphone unmute"],
    withheld: ["!", "The microphone's guard has cut it", "It is opened when the guard agrees."],
    lost: ["!", "The microphone's device is gone", "It is looked for."],
    shut: ["✕", "The device is not proven, so nothing is heard", "earnest status says why."],
    away: ["!", "The daemon does not answer", "It is asked again."],
    over: ["✕", "This page may listen no longer", "Open it again: earnest open --captions"],
    off: ["✕", "The microphone is turned off", "The configuration lets nobody listen."],
    held: ["!", "This application may not listen now", "It is tried again."],
  };

  // What is to be shown, and what of it is not shown yet.
  let state = "waiting";
  let device = "";
  let isMuted = false;
  let isLost = false;
  let isWithheld = false;
  let utterance = null;
  let fresh = [];
  let level = null;
  let drawing = 0;
  // Whether the newest line is followed: until somebody scrolls up, and again from the bottom on.
  let follows = true;
  let wait = FIRST_WAIT;
  let noting = 0;

  const draw = () => {
    drawing = 0;
    document.body.dataset.state = state;
    const [mark, name, help = ""] = STATES[state];
    show(sign, mark);
    show(hint, help);
    show(mute, state === "muted" ? "Muted" : "Mute");
    show(words, state === "on" && device ? `${name} · ${device}` : name);
    mute.disabled = !["on", "opening", "lost", "withheld"].includes(state);
    if (fresh.length > 0) {
      const added = document.createDocumentFragment();
      for (const text of fresh) {
        const line = document.createElement("li");
        line.textContent = text;
        added.append(line);
      }
      fresh = [];
      lines.append(added);
      while (lines.childElementCount > MOST_LINES) {
        lines.firstElementChild.remove();
      }
      empty.hidden = true;
    }
    live.hidden = utterance === null;
    show(stable, utterance ? utterance.stable : "");
    show(tentative, utterance ? utterance.tentative : "");
    const [loud, loudest] = state === "on" && level ? level : [0, 0];
    rms.style.transform = `translateX(${(loud - 1) * 100}%)`;
    peak.style.transform = `translateX(${(loudest - 1) * 100}%)`;
    if (follows) {
      scroll.scrollTop = scroll.scrollHeight;
    }
  };

  const redraw = () => {
    if (drawing === 0) {
      drawing = requestAnimationFrame(draw);
    }
  };

  // What stands there already is not touched, so that it is not read out twice.
  const show = (element, text) => {
    if (element.textContent !== text) {
      element.textContent = text;
    }
  };

  const become = (next) => {
    state = next;
    if (next !== "on") {
      level = null;
    }
    if (next !== "on" && next !== "opening") {
      utterance = null;
    }
    redraw();
  };

  const closed = () => (isMuted ? "muted" : isLost ? "lost" : isWithheld ? "withheld" : null);

  const settle = (open) => become(closed() ?? (open ? "on" : "opening"));

  const tell = (text) => {
    show(note, text);
    clearTimeout(noting);
    noting = setTimeout(() => show(note, ""), NOTE_TIME);
  };

  const share = (decibels) => Math.min(1, Math.max(0, 1 - decibels / SILENCE_DB));

  const HANDLERS = {
    state: (event) => {
      device = event.device || "";
      isLost = event.state === "lost";
      isWithheld = event.state === "withheld";
      settle(event.state === "open");
    },
    speech_started: () => {
      utterance = { stable: "", tentative: "…" };
      redraw();
    },
    partial: (event) => {
      utterance = event;
      redraw();
    },
    final: (event) => {
      utterance = null;
      fresh.push(event.text);
      fresh.splice(0, fresh.length - MOST_LINES);
      redraw();
    },
    speech_stopped: () => {
      utterance = null;
      redraw();
    },
    level: (event) => {
      level = [share(event.rms_db), share(event.peak_db)];
      redraw();
    },
    device_lost: () => {
      isLost = true;
      settle(false);
    },
    device_back: (event) => {
      isLost = false;
      device = event.device;
      settle(true);
    },
    muted: () => {
      isMuted = true;
      settle(false);
    },
    unmuted: () => {
      isMuted = false;
      settle(false);
    },
    overrun: () => tell("Some sound was lost, because the machine is too busy."),
  };

  // What a code of a refusal means here, and what it means that there is none.
  const meaning = (code) => {
    switch (code) {
      case null:
        return "away";
      case "device_not_proven":
        return "shut";
      case "invalid_credentials":
      case "insufficient_scope":
        return "over";
      case "microphone_disabled":
        return "off";
      default:
        return "held";
    }
  };

  // The events of an answer, line by line. What is longer than any line of the daemon's is no line.
  const read = async (answer, signOfLife) => {
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) {
        return null;
      }
      signOfLife();
      const pieces = (rest + value).split("\n");
      rest = pieces.pop();
      if (rest.length > LONGEST_LINE) {
        throw new Error("a line without an end");
      }
      for (const piece of pieces.filter((piece) => piece !== "")) {
        const event = JSON.parse(piece);
        if (event.type === "error") {
          return event.error.code;
        }
        if (Object.hasOwn(HANDLERS, event.type)) {
          HANDLERS[event.type](event);
        }
      }
    }
  };

  // Listens until that ends, and says why: a code of the daemon's, or nothing where it is gone.
  const listen = async () => {
    const stop = new AbortController();
    let silence = 0;
    const signOfLife = () => {
      clearTimeout(silence);
      silence = setTimeout(() => stop.abort(), LONGEST_SILENCE);
    };
    try {
      signOfLife();
      const headers = { accept: "application/x-ndjson" };
      const answer = await fetch("/v1/listen", { cache: "no-store", headers, signal: stop.signal });
      if (!answer.ok) {
        return (await answer.json()).error.code;
      }
      wait = FIRST_WAIT;
      isMuted = false;
      isLost = false;
      settle(false);
      return await read(answer, signOfLife);
    } catch {
      return null;
    } finally {
      clearTimeout(silence);
      stop.abort();
    }
  };

  const connect = async () => {
    const next = meaning(await listen());
    become(next);
    if (next !== "over") {
      setTimeout(connect, wait);
      wait = Math.min(2 * wait, LONGEST_WAIT);
    }
  };

  scroll.addEventListener("scroll", () => {
    follows = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < NEAR;
  });
  new ResizeObserver(redraw).observe(scroll);

  mute.addEventListener("click", async () => {
    mute.disabled = true;
    const request = {
      method: "PUT",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ muted: true }),
    };
    const answer = await fetch("/v1/microphone", request).catch(() => null);
    if (!answer || !answer.ok) {
      tell("It could not be muted.");
    }
    redraw();
  });

  connect();
})();
