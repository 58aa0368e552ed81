// Live captions: reads the events of /v1/listen and shows them. All that comes from the daemon
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
  // Pixels from the bottom that still count as being there.
  const NEAR = 48;

  const part = (id) => document.getElementById(id);
  const [sign, words, lines, live, stable, tentative, empty, note, mute, rms, peak, scroll] = [
    "sign", "words", "lines", "live", "stable", "tentative", "empty", "note", "mute", "rms",
    "peak", "scroll",
  ].map(part);

  // What each state is called, with its sign.
  const STATES = {
    waiting: ["…", "Connecting"],
    on: ["●", "Listening"],
    opening: ["…", "The microphone is being opened"],
    muted: ["✕", "The microphone is muted. An operator unmutes it: earnest microphone unmute"],
    lost: ["!", "The microphone's device is gone. It is looked for"],
    shut: ["✕", "The device is not proven, so nothing is heard"],
    away: ["!", "The daemon does not answer. It is asked again"],
    over: ["✕", "This page may listen no longer. Open it again: earnest open --captions"],
    off: ["✕", "The microphone is turned off in the configuration"],
    held: ["!", "This application may not listen now. It is tried again"],
  };

  // What is to be shown, and what of it is not shown yet.
  let state = "waiting";
  let device = "";
  let isMuted = false;
  let isLost = false;
  let utterance = null;
  let fresh = [];
  let level = null;
  let drawing = 0;
  let source = null;
  let wait = FIRST_WAIT;
  let noting = 0;

  const draw = () => {
    drawing = 0;
    const atBottom = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < NEAR;
    document.body.dataset.state = state;
    const [mark, name] = STATES[state];
    show(sign, mark);
    show(words, state === "on" && device ? `${name} · ${device}` : name);
    mute.disabled = state !== "on" && state !== "opening" && state !== "lost";
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
    if (atBottom) {
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

  const settle = (open) => become(isMuted ? "muted" : isLost ? "lost" : open ? "on" : "opening");

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

  // What a code of a refusal means here.
  const meaning = (code) => {
    switch (code) {
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

  const again = () => {
    setTimeout(connect, wait);
    wait = Math.min(2 * wait, LONGEST_WAIT);
  };

  const refused = (code) => {
    const next = meaning(code);
    become(next);
    if (next !== "over") {
      again();
    }
  };

  const leave = () => {
    if (source) {
      source.close();
      source = null;
    }
  };

  // An event source does not say why it was refused, so that is asked for.
  const ask = async () => {
    let answer;
    try {
      answer = await fetch("/v1/microphone", { cache: "no-store" });
    } catch {
      become("away");
      again();
      return;
    }
    const told = await answer.json().catch(() => ({}));
    if (answer.ok) {
      become(told.enabled ? "waiting" : "off");
      again();
    } else {
      refused(told.error ? told.error.code : "");
    }
  };

  const connect = () => {
    leave();
    source = new EventSource("/v1/listen");
    for (const [name, handle] of Object.entries(HANDLERS)) {
      source.addEventListener(name, (event) => handle(JSON.parse(event.data)));
    }
    source.addEventListener("open", () => {
      wait = FIRST_WAIT;
      isMuted = false;
      isLost = false;
      settle(false);
    });
    source.addEventListener("error", (event) => {
      leave();
      // The daemon's last event has the name that browsers give to what they see themselves.
      if (typeof event.data === "string") {
        refused(JSON.parse(event.data).error.code);
      } else {
        ask();
      }
    });
  };

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
