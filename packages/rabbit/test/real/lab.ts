import { type Lab, type RabbitTopology, startLab } from '@ha/bootstrap'

/** A real cluster on this machine with timers that fit the client; it must be ended with `down()`. */
export function startRealLab(name: string, topology: Omit<RabbitTopology, 'kind'> = {}): Promise<Lab> {
  // The process id keeps two runs of the tests apart.
  return startLab({ kind: 'rabbitmq', detectMs: 1_000, ...topology }, { name: `${name}-${process.pid}` })
}

/** The clients' ends of the connections to a port, read from the kernel: a frozen server cannot be asked. */
export function openConnections(table: string, port: number): number {
  const remote = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  const established = '01'
  return table
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([, , to, state]) => to?.endsWith(remote) && state === established).length
}
