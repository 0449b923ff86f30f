// What a guest wrote on stderr before it failed is all that tells why: an engine turns an uncaught error into a trap
// without a text. Frames are shown in the author's source files where the bundle carries a source map.
import { type GuestError, MAX_GUEST_FRAME_CHARS, MAX_GUEST_FRAMES, MAX_GUEST_MESSAGE_CHARS } from './protocol.ts';
import type { ScriptMap } from './script-map.ts';

/** How a frame ends: line, column, a bracket. */
const POSITION = /:(\d{1,7})(?::(\d{1,7}))?\)?$/;
const FILE = /^[^:]{1,200}\.[cm]?js$/;
/** Lines of StarlingMonkey around an error. */
const NOISE: ReadonlySet<string> = new Set(['Stack:', 'Redirecting call to abort() to mozalloc_abort']);
/** Of componentize's own, named after a folder of the machine that built the component. */
const BUILD_SCRIPT = 'initializer.js';
/** Frames are short; what is longer is text. */
const MAX_LINE_CHARS = 1_024;
/** The name under which builds embed the script that the source map is for. */
const SCRIPT = 'index.js';

/** QuickJS prints an uncaught error as one line of its embedding's debug output. */
const QUICKJS_ERROR = /Exception \{ message: Some\("((?:[^"\\]|\\.)*)"\)(?:, stack: Some\("((?:[^"\\]|\\.)*)"\))?/;

/** @param map asked for frames of the script only. Undefined: the guest said nothing. */
export function guestError(stderr: string, map: ScriptMap | undefined): GuestError | undefined {
  let frames: Frame[] = [];
  let words: string[] = [];
  let last: { readonly words: readonly string[]; readonly frames: readonly Frame[] } = { words, frames };
  for (const line of linesOf(stderr)) {
    if (line === '' || NOISE.has(line)) continue;
    const frame = parseFrame(line);
    if (frame !== undefined) {
      frames.push(frame);
      last = { words, frames };
      continue;
    }
    // Text after frames begins another error, unless no frames come: then it is what was written after the error.
    if (frames.length > 0) {
      frames = [];
      words = [];
    }
    words.push(line);
  }
  const own = last.frames.filter(({ file }) => file !== BUILD_SCRIPT);
  if (last.words.length === 0) return undefined;
  return {
    message: last.words.join('\n').slice(-MAX_GUEST_MESSAGE_CHARS),
    frames: shown(own.slice(0, MAX_GUEST_FRAMES), map),
  };
}

function linesOf(stderr: string): string[] {
  const quickjs = QUICKJS_ERROR.exec(stderr);
  const text = quickjs === null ? stderr : `${unescaped(quickjs[1] ?? '')}\n${unescaped(quickjs[2] ?? '')}`;
  return text.split('\n').map((line) => line.trim());
}

const unescaped = (text: string): string =>
  text.replace(/\\(.)/g, (_, character: string) => (character === 'n' ? '\n' : character === 't' ? '\t' : character));

interface Frame {
  readonly name: string;
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** `name@index.js:3:5` (StarlingMonkey) or `at name (index.js:3:5)` (QuickJS), with or without a path before the file. */
function parseFrame(line: string): Frame | undefined {
  const position = line.length > MAX_LINE_CHARS ? null : POSITION.exec(line);
  if (position === null) return undefined;
  const before = line.slice(0, position.index);
  const fileAt = Math.max(before.lastIndexOf('@'), before.lastIndexOf('('), before.lastIndexOf(' ')) + 1;
  const path = before.slice(fileAt);
  if (!FILE.test(path)) return undefined;
  return {
    name: before
      .slice(0, fileAt)
      .replace(/^at /, '')
      .replace(/[@( ]+$/, ''),
    file: path.slice(path.lastIndexOf('/') + 1),
    line: Number(position[1]),
    column: Number(position[2] ?? 1),
  };
}

function shown(frames: readonly Frame[], map: ScriptMap | undefined): string[] {
  // Not by `map`: V8 may send its result as an array with holes, which the parent does not read.
  const texts: string[] = [];
  for (const { name, file, line, column } of frames) {
    const original = file === SCRIPT ? map?.originalPlace(line, column) : undefined;
    const place = original ?? `${file}:${line}:${column}`;
    texts.push((name === '' ? place : `${name} (${place})`).slice(0, MAX_GUEST_FRAME_CHARS));
  }
  return texts;
}
