import type { SupervisedProcess } from './supervised-process.ts';
import type { DataDir } from './temporary-dir.ts';

/** What every local server is started with. */
export interface ServerOptions {
  /** Where its data goes. Without it, a temporary folder that is removed when the server is stopped. */
  readonly dir?: string;
  /** A fixed loopback port, to come back under the same URL after a stop. Any free one unless given. */
  readonly port?: number;
  /** Where it logs; a file in its folder unless given. */
  readonly logFile?: string;
  readonly runtimeDir?: string;
  readonly progress?: ((line: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A real server process of our own. */
export interface RunningServer extends Pick<SupervisedProcess, 'pid' | 'logFile' | 'exited' | 'kill'> {
  /** Ready to connect with, password included where there is one: never log it. */
  readonly url: string;
  readonly port: number;
  /** Ends it, and removes its data if that was temporary. Safe to call again. */
  stop(): Promise<void>;
}

/** The process as a server, whose temporary data ends with it. */
export function asServer(process: SupervisedProcess, url: string, port: number, data: DataDir): RunningServer {
  return {
    url,
    port,
    pid: process.pid,
    logFile: process.logFile,
    exited: process.exited,
    kill: process.kill,
    stop: async () => {
      await process.stop();
      await data.dispose();
    },
  };
}
