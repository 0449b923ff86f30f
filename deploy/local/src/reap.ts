// Started by guard.ts after its owner died: ends what the owner left running. Arguments: the runtime folder, the owner's pid.
import { ownerGone, reapStale } from './process-records.ts';

const [runtimeDir, ownerPid] = process.argv.slice(2);
if (runtimeDir === undefined || ownerPid === undefined) throw new Error('usage: reap.ts <runtime folder> <owner pid>');
await ownerGone(Number(ownerPid), 10_000);
await reapStale(runtimeDir);
