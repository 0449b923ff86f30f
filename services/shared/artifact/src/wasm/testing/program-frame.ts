// What all generated programs have in common: the numbers by which their code names things.

/** 1.25 MiB: more than the chunk of a bulk operation, and quick to compare. */
export const MEMORY_PAGES = 20;
export const MEMORY_BYTES = MEMORY_PAGES * 65_536;
/** So that growing succeeds at first, and fails in the end. */
export const MAX_PAGES = MEMORY_PAGES + 2;

/** (i32, i64, f64) -> (i32, i64) */
export const FUNCTION_TYPE = 0;
/** (i32, i32) -> (i32, i32) */
export const SWAP_TYPE = 1;
/** () -> () */
export const OTHER_TYPE = 2;
/** (i32) -> () */
export const LOG_TYPE = 3;
/** Imported: it is told a number, so that the order of things shows. */
export const LOG = 0;
export const FUNCTIONS = [1, 2, 3, 4] as const;
/** Has {@link OTHER_TYPE}, and so traps when it is called through the table. */
export const OTHER = 5;

export const LOCALS = { i32: [0, 3, 4], i64: [1, 5], f64: [2, 6], v128: [7] } as const;
export const GLOBALS = { fuel: 0, constant: 1, i32: 2, i64: 3, f64: 4 } as const;

/** Loops and calls that a program may make, all together. It is little, because calls nest. */
export const FUEL = 400;
