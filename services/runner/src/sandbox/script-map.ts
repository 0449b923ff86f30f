import { SourceMap, type SourceMapPayload } from 'node:module';

// The registry refuses what is over these; artifacts may be older. Within them the worst takes 620 ms of a busy machine, and
// 50 MB of the sandbox's heap (measured).
const MAX_MAP_BYTES = 8 * 1_048_576;
const MAX_MAPPINGS_CHARS = 1_500_000;
const MAX_SOURCES = 20_000;

/** The source map of a component's script. It is the uploader's: nothing in it is believed. */
export class ScriptMap {
  #bytes: Uint8Array | undefined;
  #map: SourceMap | undefined;

  /** @param bytes source map v3; over a bound or malformed it maps nothing. */
  constructor(bytes: Uint8Array) {
    if (bytes.byteLength <= MAX_MAP_BYTES) this.#bytes = bytes;
  }

  /**
   * `file:line:column` in the author's sources, if the map has it. The first question reads the map, once for all.
   * @param line counted from 1, as `column`.
   */
  originalPlace(line: number, column: number): string | undefined {
    if (this.#bytes !== undefined) {
      const bytes = this.#bytes;
      this.#bytes = undefined;
      this.#map = parse(bytes);
    }
    const entry = this.#map?.findEntry(line - 1, column - 1);
    if (entry === undefined || !('originalSource' in entry) || entry.originalSource === '') return undefined;
    return `${entry.originalSource}:${entry.originalLine + 1}:${entry.originalColumn + 1}`;
  }
}

function parse(bytes: Uint8Array): SourceMap | undefined {
  try {
    const payload = checked(JSON.parse(new TextDecoder().decode(bytes)));
    return payload && new SourceMap(payload);
  } catch {
    // Frames are shown as they are.
    return undefined;
  }
}

// What is needed of it and no more: Node would follow `sections`, and keep what the sources hold.
function checked(value: unknown): SourceMapPayload | undefined {
  const { version, sources, mappings } = (value ?? {}) as Record<string, unknown>;
  if (version !== 3 || typeof mappings !== 'string' || mappings.length > MAX_MAPPINGS_CHARS) return undefined;
  if (!Array.isArray(sources) || sources.length > MAX_SOURCES) return undefined;
  const names = sources.map((source: unknown) => (typeof source === 'string' ? source : ''));
  return { file: '', version, sources: names, sourcesContent: [], names: [], mappings, sourceRoot: '' };
}
