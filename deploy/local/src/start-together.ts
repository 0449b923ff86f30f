/**
 * Runs the starts together and resolves to what they started. When one fails, `abort` is called so that the others give up, all of
 * them are awaited, and the first failure is the one thrown: what was started before can then be stopped without a race.
 */
export async function startTogether<T extends readonly Promise<unknown>[]>(
  starts: readonly [...T],
  abort: (reason: unknown) => void,
): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
  let failure: { readonly reason: unknown } | undefined;
  for (const start of starts) {
    start.catch((reason: unknown) => {
      failure ??= { reason };
      abort(reason);
    });
  }
  await Promise.allSettled(starts);
  if (failure !== undefined) throw failure.reason;
  return Promise.all(starts) as Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }>;
}
