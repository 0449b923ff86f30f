/** Two isolates (jco's packages start a thread) reserve 512 MiB of addresses for code each, which the kernel counts. */
const V8_RESERVED_MB = 1_100;

interface KernelLimits {
  /** Private memory that can be written, in MiB: V8's heap, buffers, linear memories. V8 itself bounds the first only. */
  readonly memoryMb: number;
  /** Processor time, in seconds; then the kernel sends SIGXCPU. */
  readonly cpuSeconds: number;
}

/**
 * How to `fork` Node under limits that the kernel keeps, whatever the process does: a shell sets them and becomes Node.
 * @param flags of Node.
 */
export function underKernelLimits({ memoryMb, cpuSeconds }: KernelLimits, flags: readonly string[]) {
  const dataKb = (memoryMb + V8_RESERVED_MB) * 1_024;
  // The first argument behind the script is $0.
  const script = `ulimit -c 0; ulimit -Ht ${cpuSeconds + 1}; ulimit -St ${cpuSeconds}; ulimit -d ${dataKb}; exec "$0" "$@"`;
  return { execPath: '/bin/sh', execArgv: ['-c', script, process.execPath, ...flags] };
}
