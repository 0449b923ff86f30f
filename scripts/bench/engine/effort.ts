/** How much is measured. */
export interface Effort {
  /** Samples of what takes less than 20 ms. */
  readonly fast: number;
  /** Samples of what takes longer: a first call, 100 ms of a loop. */
  readonly slow: number;
  /** Calls across which memory must not grow. */
  readonly calls: number;
}

/** Under four minutes. The slow figures have fewer samples than 300: their notes say how many. */
export const NORMAL: Effort = { fast: 300, slow: 25, calls: 50_000 };
/** To see whether it runs. */
export const QUICK: Effort = { fast: 60, slow: 5, calls: 5_000 };
/** 300 of everything: a quarter of an hour. */
export const FULL: Effort = { fast: 300, slow: 300, calls: 50_000 };

export type Progress = (line: string) => void;
