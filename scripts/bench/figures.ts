import { cpus, totalmem } from 'node:os';
import Table from 'cli-table3';

/** One measured figure. `target` and `met` are absent where the figure is there to be compared with. */
export interface Figure {
  readonly name: string;
  /** NaN, which is null in JSON: it could not be measured, and the note says why. */
  readonly value: number;
  readonly unit: string;
  readonly target?: number;
  /** Which side of the target is the good one; `at most` where nothing is said. */
  readonly bound?: 'at least';
  readonly met?: boolean;
  /** Half the distance between the quartiles, in the unit; absent for a single measurement. */
  readonly spread?: number;
  readonly note?: string;
}

export interface Report {
  readonly name: string;
  readonly machine: {
    readonly cpus: number;
    readonly model: string;
    readonly memoryGib: number;
    readonly node: string;
  };
  readonly figures: readonly Figure[];
}

const round = (value: number): number => Number(value.toPrecision(4));

/** A figure from samples: their median, and how far they spread. @throws RangeError for no samples. */
export function median(name: string, unit: string, samples: readonly number[], extra: Partial<Figure> = {}): Figure {
  const sorted = [...samples].sort((a, b) => a - b);
  const at = (share: number): number => {
    const value = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
    if (value === undefined) throw new RangeError(`${name}: no samples`);
    return value;
  };
  const spread = round((at(0.75) - at(0.25)) / 2);
  return single(name, unit, at(0.5), {
    spread,
    ...extra,
    note: [`n=${sorted.length}`, extra.note].filter(Boolean).join(', '),
  });
}

/** The value in the middle. @throws RangeError for no samples. */
export const medianOf = (samples: readonly number[]): number => median('', '', samples).value;

/** A figure that was measured once, or derived. `target` itself is met. */
export function single(name: string, unit: string, value: number, extra: Partial<Figure> = {}): Figure {
  const { target, bound } = extra;
  const met = target === undefined ? {} : { met: bound === 'at least' ? value >= target : value <= target };
  return { name, value: round(value), unit, ...extra, ...met };
}

export function report(name: string, figures: readonly Figure[]): Report {
  const [cpu] = cpus();
  return {
    name,
    machine: {
      cpus: cpus().length,
      model: cpu?.model ?? 'unknown',
      memoryGib: Math.round(totalmem() / 1024 ** 3),
      node: process.version,
    },
    figures,
  };
}

export function renderReport({ name, figures }: Report): string {
  const table = new Table({
    head: [name, 'value', 'spread', 'target', 'met', 'note'],
    style: { head: [], border: [] },
  });
  for (const figure of figures) {
    table.push([
      figure.name,
      Number.isNaN(figure.value) ? '-' : `${figure.value} ${figure.unit}`,
      figure.spread === undefined ? '' : `+-${figure.spread}`,
      figure.target === undefined ? '' : `${figure.bound === 'at least' ? '>=' : '<='} ${figure.target}`,
      figure.met === undefined ? '' : figure.met ? 'yes' : 'NO',
      figure.note ?? '',
    ]);
  }
  return table.toString();
}
