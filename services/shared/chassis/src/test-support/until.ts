import { waitUntil } from '@alga/local-stack';

/** Waits for a condition; @throws Error when it does not hold within 15 s. */
export async function until(condition: () => Promise<boolean> | boolean): Promise<void> {
  if (!(await waitUntil(condition, { deadlineMs: 15_000 }))) throw new Error(`never held: ${condition}`);
}
