/** Everything a sink holds, as bytes; where it came from is for the report. */
export interface Sink {
  readonly name: string;
  readonly bytes: Uint8Array;
}

interface Leak {
  readonly sink: string;
  readonly label: string;
  readonly encoding: string;
}

/** What to look for; `label` stands for the value in reports. */
export interface Needle {
  readonly label: string;
  readonly value: string;
}

/** Finds each value in each sink: raw, JSON-escaped, percent-encoded, hex, and base64 in its three alignments and two alphabets. */
export function sweep(sinks: readonly Sink[], needles: readonly Needle[]): Leak[] {
  const forms = needles.flatMap(({ label, value }) =>
    encodings(value).map(({ encoding, text }) => ({ label, encoding, text: Buffer.from(text) })),
  );
  return sinks.flatMap(({ name, bytes }) => {
    const haystack = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return forms
      .filter(({ text }) => haystack.includes(text))
      .map(({ label, encoding }) => ({ sink: name, label, encoding }));
  });
}

function encodings(value: string): { encoding: string; text: string }[] {
  const bytes = Buffer.from(value);
  const base64 = [0, 1, 2].flatMap((shift) => {
    // The characters that depend on nothing but the value, whatever stands before and after it.
    const whole = Buffer.concat([Buffer.alloc(shift), bytes])
      .toString('base64')
      .replace(/=+$/, '');
    const stable = whole.slice(shift === 0 ? 0 : shift + 1, -1);
    return [
      { encoding: `base64+${shift}`, text: stable },
      { encoding: `base64url+${shift}`, text: stable.replaceAll('+', '-').replaceAll('/', '_') },
    ];
  });
  return [
    { encoding: 'raw', text: value },
    { encoding: 'json', text: JSON.stringify(value).slice(1, -1) },
    { encoding: 'percent', text: encodeURIComponent(value) },
    { encoding: 'hex', text: bytes.toString('hex') },
    { encoding: 'HEX', text: bytes.toString('hex').toUpperCase() },
    ...base64,
  ];
}
