// The watchdog: a thread that looks at the running slice every few milliseconds and interrupts it when its time is up.
// The main thread cannot do this itself, a guest in a loop holds it. Nothing of a guest ever reaches this thread.
import { parentPort, workerData } from 'node:worker_threads';
import { judge, monotonicMs, SIGN_BIT, VERDICT, type WatchdogData, WORD } from './interruption.ts';

/** How late an interruption may come, ms. */
const LOOK_MS = 4;
/** After so many looks without a slice it sleeps until one begins: an idle sandbox costs nothing. */
const IDLE_LOOKS = 25;

const { page } = workerData as WatchdogData;
const words = new Int32Array(page);

parentPort?.postMessage('watching');

let watched = 0;
let cpuAtFirstLook = 0;
let idleLooks = 0;

for (;;) {
  const slice = Atomics.load(words, WORD.slice);
  if (slice > 0) look(slice);
  else idleLooks += 1;
  if (idleLooks < IDLE_LOOKS) Atomics.wait(words, WORD.slice, slice, LOOK_MS);
  else sleep();
}

function look(slice: number): void {
  idleLooks = 0;
  if (slice !== watched) {
    watched = slice;
    cpuAtFirstLook = cpuMs();
  }
  // The whole process is counted; beside the guest's thread that is V8's compiler and collector, which work for it.
  const verdict = judge(page, monotonicMs(), cpuMs() - cpuAtFirstLook);
  // Times read here may belong to the next slice already: then the exchange below fails.
  if (verdict === VERDICT.none) return;
  words[WORD.verdict] = verdict;
  Atomics.compareExchange(words, WORD.slice, slice, slice | SIGN_BIT);
}

function sleep(): void {
  Atomics.store(words, WORD.asleep, 1);
  // Returns at once where a slice began before the flag was up.
  Atomics.wait(words, WORD.slice, 0);
  Atomics.store(words, WORD.asleep, 0);
  idleLooks = 0;
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}
