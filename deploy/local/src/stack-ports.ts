import { freePort, isPortFree } from './free-port.ts';
import { type ServiceName, singleServices } from './service-settings.ts';

/** The gateway's port; the others follow in the order of `singleServices`, then the runners. */
const FIRST_PORT = 8480;
/** How far to look for the next free port before taking any. */
const SPAN = 200;

export interface Instance {
  readonly service: ServiceName;
  /** `gateway`, or `runner-1` for those that are several. */
  readonly name: string;
}

/** Every process of ours in a stack. */
export function stackInstances(runners: number): readonly Instance[] {
  const runnerInstances = Array.from({ length: runners }, (_, index) => ({
    service: 'runner' as const,
    name: `runner-${index + 1}`,
  }));
  return [...singleServices.map((service) => ({ service, name: service })), ...runnerInstances];
}

/**
 * A port for each instance: the usual one, or the next that is free when it is taken (which `progress` is told), or, for stacks that
 * run beside others, any. Never one of `reserved`: somebody is about to listen there.
 */
export async function choosePorts(
  instances: readonly Instance[],
  ports: 'preferred' | 'any',
  progress: (line: string) => void,
  reserved: ReadonlySet<number> = new Set(),
): Promise<ReadonlyMap<string, number>> {
  const isUsable = async (port: number) => !reserved.has(port) && (await isPortFree(port));
  const chosen = new Map<string, number>();
  let next = FIRST_PORT + instances.length;
  for (const [index, { name }] of instances.entries()) {
    const preferred = FIRST_PORT + index;
    if (ports === 'any') {
      chosen.set(name, await unusedPort([...chosen.values(), ...reserved]));
    } else if (await isUsable(preferred)) {
      chosen.set(name, preferred);
    } else {
      while (next < FIRST_PORT + SPAN && !(await isUsable(next))) next++;
      const port = next < FIRST_PORT + SPAN ? next++ : await unusedPort([...chosen.values(), ...reserved]);
      progress(`port ${preferred} is taken: ${name} listens on ${port}`);
      chosen.set(name, port);
    }
  }
  return chosen;
}

/** The system may hand out the same free port twice as long as nobody listens on it. */
async function unusedPort(besides: readonly number[]): Promise<number> {
  for (;;) {
    const port = await freePort();
    if (!besides.includes(port)) return port;
  }
}
