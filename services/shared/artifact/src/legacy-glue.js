// The glue of every legacy core module: what jco's generated glue is to a component, for the raw ABI from before
// components. It is signed into each legacy artifact as `component.js` and evaluated in the sandbox's realm, which has
// TextEncoder, TextDecoder and WebAssembly, and neither Buffer nor atob. It is written by hand and never generated.
//
// The ABI. Pointers and lengths are u32; text is UTF-8 JSON; `*` lies at `out` as two u32 in little endian, pointer and
// length. What is handed in is put where `alloc` says; nothing is ever freed by the host.
//
//   exports  memory
//            alloc(length) -> pointer                        0: there is no memory; may not call the host
//            handler(request, length, out) -> 0, *response   anything but 0: the call failed
//   imports  alga       log_info(text, length)
//            alga       log_error(text, length)
//            alga.http  fetch(request, length, out) -> 0, *answer   1: the request is not of the form below
//            env        abort(message, file, line, column)   AssemblyScript's
//
//   request   {"context":{"requestId"?,"tenantId","extensionId","installId"?,"versionId"?},
//              "http":{"method","url","headers":[{"name","value"}],"body_b64"?}}
//   response  {"status":200,"headers"?:[{"name","value"}],"body_b64"?}
//   fetch     {"method"?:"GET","url","headers"?:[...],"body_b64"?}
//   answer    {"ok":true,"status","headers":[...],"body_b64"?} or {"ok":false,"error":"not-allowed"}, by the WIT's names
//
// In what the module writes, null stands for an absent member and unknown members are ignored. Base64 is the standard
// alphabet, with or without padding. Everything that it names is checked to lie inside its memory. A module that breaks the
// ABI ends the call with a RuntimeError, as a trap does; the texts of those are ours and hold nothing of the guest's data.

/** In bytes. A response may have 1 MB, a third more in base64; JSON parses to many times its length. */
const MAX_JSON_BYTES = 2 * 1024 * 1024;
/** Of the words and of the file name with which a module aborts. */
const MAX_ABORT_CHARS = 1024;
const OUT_BYTES = 8;
const MAX_STATUS = 0xffff;
const BAD_REQUEST = 1;

const CORE = 'component.core.wasm';
const HTTP = 'alga:extension/http';
const LOGGING = 'alga:extension/logging';
const STDERR = 'wasi:cli/stderr';

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * As jco's: makes one instance.
 * @param getCoreModule gives the compiled module of a name, or a promise of it.
 * @param imports of the platform, by interface name.
 * @param instantiateCore makes an instance of a compiled module, or a promise of it.
 */
export async function instantiate(getCoreModule, imports, instantiateCore) {
  const module = await getCoreModule(CORE);
  const { memory, alloc, handler } = (await instantiateCore(module, coreImports())).exports;
  const run = WebAssembly.promising(handler);
  /** Calls that did not come to their end. */
  let open = 0;

  return {
    async handler(request) {
      open++;
      const [at, length] = write(encodeJson(requestMessage(request)));
      const [out] = write(new Uint8Array(OUT_BYTES));
      if ((await run(at, length, out)) !== 0) fail('the handler did not return 0');
      const [response, responseLength] = readOut(out);
      const answer = responseOf(parse(readText(response, responseLength)));
      open--;
      return answer;
    },
    // Between calls there is nothing to save or to put back. What a call that failed left suspended is not known.
    state: { save() {}, restore: () => open === 0 },
  };

  function coreImports() {
    return {
      alga: { log_info: suspending(log('logInfo')), log_error: suspending(log('logError')) },
      'alga.http': { fetch: suspending(fetch) },
      env: { abort },
    };
  }

  function log(level) {
    return async (at, length) => {
      await imports[LOGGING][level](readText(at >>> 0, length >>> 0));
    };
  }

  async function fetch(at, length, out) {
    region(out >>> 0, OUT_BYTES);
    const request = fetchRequest(parse(readText(at >>> 0, length >>> 0)));
    if (request === undefined) return BAD_REQUEST;
    const answer = encodeJson(await answerTo(request));
    // The memory may have grown meanwhile, never shrunk: `out` is still inside.
    writeOut(out >>> 0, write(answer));
    return 0;
  }

  async function answerTo(request) {
    try {
      const { status, headers, body } = await imports[HTTP].fetch(request);
      return { ok: true, status, headers: headersMessage(headers), ...bodyMessage(body) };
    } catch (error) {
      // An own `payload` is the host's word for a value of the WIT's error type; anything else ends the call.
      if (typeof error !== 'object' || error === null || !Object.hasOwn(error, 'payload')) throw error;
      return { ok: false, error: error.payload };
    }
  }

  // Where an engine inside a component writes its last words, too: the runner makes the author's report of them.
  function abort(message, file, line, column) {
    const words = `abort: ${utf16(message >>> 0)}\n    at ${utf16(file >>> 0)}:${line >>> 0}:${column >>> 0}\n`;
    imports[STDERR]?.getStderr().blockingWriteAndFlush(encoder.encode(words));
    fail('abort was called');
  }

  /** A string of AssemblyScript's, whose length in bytes stands before it; '' where there cannot be one. */
  function utf16(at) {
    const { buffer } = memory;
    if (at < 4 || at > buffer.byteLength) return '';
    const view = new DataView(buffer);
    const bytes = Math.min(view.getUint32(at - 4, true), buffer.byteLength - at, 2 * MAX_ABORT_CHARS);
    let text = '';
    for (let index = 0; index + 1 < bytes; index += 2) text += String.fromCharCode(view.getUint16(at + index, true));
    return text;
  }

  /** A view of part of the guest's memory, which is made anew each time: growing detaches it. */
  function region(at, length) {
    const { buffer } = memory;
    if (at + length > buffer.byteLength) fail('a pointer or length of the module leads out of its memory');
    return new Uint8Array(buffer, at, length);
  }

  function readText(at, length) {
    const bytes = region(at, length);
    if (length > MAX_JSON_BYTES) fail(`the module hands over more than ${MAX_JSON_BYTES} bytes at once`);
    try {
      return decoder.decode(bytes);
    } catch {
      return fail('text of the module is not UTF-8');
    }
  }

  function write(bytes) {
    const at = alloc(bytes.length) >>> 0;
    if (at === 0) fail('alloc has no memory');
    region(at, bytes.length).set(bytes);
    return [at, bytes.length];
  }

  function outView(out) {
    const { buffer, byteOffset } = region(out, OUT_BYTES);
    return new DataView(buffer, byteOffset, OUT_BYTES);
  }

  function readOut(out) {
    const view = outView(out);
    return [view.getUint32(0, true), view.getUint32(4, true)];
  }

  function writeOut(out, [at, length]) {
    const view = outView(out);
    view.setUint32(0, at, true);
    view.setUint32(4, length, true);
  }
}

function suspending(fn) {
  return new WebAssembly.Suspending(fn);
}

function fail(message) {
  throw new WebAssembly.RuntimeError(message);
}

function encodeJson(value) {
  return encoder.encode(JSON.stringify(value));
}

/** Undefined: not JSON. */
function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function requestMessage({ context, http }) {
  const { requestId, tenantId, extensionId, installId, versionId } = context;
  const { method, url, headers, body } = http;
  return {
    context: { requestId, tenantId, extensionId, installId, versionId },
    http: { method, url, headers: headersMessage(headers), ...bodyMessage(body) },
  };
}

function headersMessage(headers) {
  return headers.map(({ name, value }) => ({ name, value }));
}

function bodyMessage(body) {
  return body === undefined ? {} : { body_b64: encodeBase64(body) };
}

function responseOf(message) {
  const response = isRecord(message) ? message : fail('the response is not a JSON object');
  const { status, headers, body_b64 } = response;
  if (!Number.isInteger(status) || status < 0 || status > MAX_STATUS)
    fail('the status of the response is not a number');
  return {
    status,
    headers: headersOf(headers) ?? fail('the headers of the response are not a list of names and values'),
    ...(isAbsent(body_b64) ? {} : { body: decodeBase64(body_b64) ?? fail('the body of the response is not base64') }),
  };
}

/** Undefined: not a request. */
function fetchRequest(message) {
  if (!isRecord(message)) return undefined;
  const { method, url, headers, body_b64 } = message;
  const list = headersOf(headers);
  const body = isAbsent(body_b64) ? undefined : decodeBase64(body_b64);
  if (!isText(url) || !(isAbsent(method) || isText(method)) || list === undefined) return undefined;
  if (!isAbsent(body_b64) && body === undefined) return undefined;
  return { method: method ?? 'GET', url, headers: list, body };
}

/** Undefined: not a list of headers. */
function headersOf(value) {
  if (isAbsent(value)) return [];
  if (!Array.isArray(value)) return undefined;
  const isHeader = (item) => isRecord(item) && isText(item.name) && isText(item.value);
  return value.every(isHeader) ? headersMessage(value) : undefined;
}

function isAbsent(value) {
  return value === undefined || value === null;
}

function isRecord(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

// A component's strings are Unicode by their encoding; JSON can spell half a surrogate pair, which the host never gets.
function isText(value) {
  return typeof value === 'string' && value.isWellFormed();
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const DIGITS = Uint8Array.from(ALPHABET, (char) => char.charCodeAt(0));
const PADDING = '='.charCodeAt(0);
const NO_DIGIT = 0xff;
/** By character code, of ASCII. */
const VALUES = new Uint8Array(128).fill(NO_DIGIT);
for (const [value, code] of DIGITS.entries()) VALUES[code] = value;
/** Arguments of one call, well within V8's stack. */
const CODES_AT_ONCE = 8192;

function encodeBase64(bytes) {
  const codes = new Uint8Array(Math.ceil(bytes.length / 3) * 4).fill(PADDING);
  let used = 0;
  let held = 0;
  let bits = 0;
  for (const byte of bytes) {
    held = ((held << 8) | byte) & 0xffff;
    bits += 8;
    while (bits >= 6) {
      bits -= 6;
      codes[used++] = DIGITS[(held >> bits) & 63];
    }
  }
  if (bits > 0) codes[used] = DIGITS[(held << (6 - bits)) & 63];
  let text = '';
  for (let at = 0; at < codes.length; at += CODES_AT_ONCE) {
    text += String.fromCharCode(...codes.subarray(at, at + CODES_AT_ONCE));
  }
  return text;
}

/** Undefined: not base64. */
function decodeBase64(text) {
  if (typeof text !== 'string') return undefined;
  const length = text.length - (text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0);
  const isWhole = length === text.length || text.length % 4 === 0;
  if (!isWhole || length % 4 === 1) return undefined;
  const bytes = new Uint8Array(Math.floor((length * 3) / 4));
  let used = 0;
  let held = 0;
  let bits = 0;
  for (let at = 0; at < length; at++) {
    const value = VALUES[text.charCodeAt(at)] ?? NO_DIGIT;
    if (value === NO_DIGIT) return undefined;
    held = ((held << 6) | value) & 0xffff;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes[used++] = held >> bits;
    }
  }
  return bytes;
}
