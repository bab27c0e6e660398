// A recording to ask about: a file, or what the microphone hears, sent as wav.
import { base64Of, bytesOf } from "./pictures.js";
import { words } from "./shared.js";

const RATE = 16_000;
const BARS = 160;
const SOUNDS = "audio/wav,audio/flac,audio/ogg,audio/mpeg,.wav,.flac,.ogg,.mp3";

export function audioControl() {
  const control = Object.assign(document.createElement("input"), { type: "file", accept: SOUNDS });
  const button = Object.assign(document.createElement("button"), { type: "button", className: "plain", textContent: words.record });
  const preview = Object.assign(document.createElement("canvas"), { hidden: true, width: 2 * BARS, height: 64, className: "wave" });
  const trouble = Object.assign(document.createElement("p"), { className: "small soft", hidden: true });
  preview.setAttribute("role", "img");
  let example = null;
  let recorded = null;
  let microphone = null;

  async function show(sound, name) {
    preview.hidden = trouble.hidden = true;
    try {
      const decoded = await decode(await sound.arrayBuffer());
      wave(decoded, preview);
      preview.setAttribute("aria-label", `${name}, ${(decoded.length / RATE).toFixed(1)} s`);
      preview.hidden = false;
    } catch {
      say(words.not_shown);
    }
  }
  function say(text) {
    trouble.textContent = text;
    trouble.hidden = false;
  }
  async function toggle() {
    if (microphone) {
      microphone.stop();
      return;
    }
    try {
      microphone = await listen();
      button.textContent = words.stop_recording;
      const sound = await microphone.heard;
      recorded = new File([wavOf(await decode(await sound.arrayBuffer()))], "recording.wav", { type: "audio/wav" });
      control.value = "";
      await show(recorded, recorded.name);
      control.dispatchEvent(new Event("input", { bubbles: true }));
    } catch {
      say(words.no_microphone);
    }
    microphone = null;
    button.textContent = words.record;
  }
  button.hidden = !navigator.mediaDevices?.getUserMedia || !globalThis.MediaRecorder;
  button.addEventListener("click", toggle);
  control.addEventListener("change", () => {
    recorded = null;
    if (control.files.length) show(control.files[0], control.files[0].name);
  });
  const file = () => control.files[0] ?? recorded ?? undefined;
  return {
    control,
    below: [button, preview, trouble],
    isBroad: true,
    file,
    fill(value) {
      example = value ?? null;
      recorded = null;
      control.value = "";
      preview.hidden = true;
      if (example) show(new Blob([bytesOf(example)]), words.example_sound);
    },
    async read() {
      if (file()) return base64Of(file());
      if (example) return example;
      throw new Error(words.choose_sound);
    },
  };
}

async function listen() {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
  const recorder = new MediaRecorder(stream);
  const pieces = [];
  recorder.addEventListener("dataavailable", (event) => pieces.push(event.data));
  const heard = new Promise((resolve) => recorder.addEventListener("stop", () => resolve(new Blob(pieces))));
  recorder.start();
  return { heard, stop: () => { recorder.stop(); stream.getTracks().forEach((track) => track.stop()); } };
}

// One channel at the rate that models of speech read.
async function decode(bytes) {
  const whole = await new OfflineAudioContext(1, 1, RATE).decodeAudioData(bytes);
  const context = new OfflineAudioContext(1, Math.max(1, Math.ceil(whole.duration * RATE)), RATE);
  const source = new AudioBufferSourceNode(context, { buffer: whole });
  source.connect(context.destination);
  source.start();
  return (await context.startRendering()).getChannelData(0);
}

function wave(samples, canvas) {
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, canvas.width, canvas.height);
  context.fillStyle = getComputedStyle(canvas).color;
  const width = samples.length / BARS;
  for (let place = 0; place < BARS; place += 1) {
    const part = samples.subarray(Math.floor(place * width), Math.max(Math.floor((place + 1) * width), 1));
    const loudest = part.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
    const height = Math.max(1, loudest * canvas.height);
    context.fillRect(2 * place, (canvas.height - height) / 2, 1.4, height);
  }
}

// 16-bit PCM. Source: Microsoft and IBM (1991), Multimedia Programming Interface and Data Specifications 1.0, WAVE.
function wavOf(samples) {
  const view = new DataView(new ArrayBuffer(44 + 2 * samples.length));
  const write = (place, text) => [...text].forEach((letter, n) => view.setUint8(place + n, letter.charCodeAt(0)));
  const numbers = [[4, 36 + 2 * samples.length], [16, 16], [24, RATE], [28, 2 * RATE], [40, 2 * samples.length]];
  write(0, "RIFF");
  write(8, "WAVEfmt ");
  write(36, "data");
  for (const [place, number] of numbers) view.setUint32(place, number, true);
  for (const [place, number] of [[20, 1], [22, 1], [32, 2], [34, 16]]) view.setUint16(place, number, true);
  samples.forEach((sample, n) => view.setInt16(44 + 2 * n, Math.max(-1, Math.min(1, sample)) * 32767, true));
  return view.buffer;
}
