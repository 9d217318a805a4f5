/** The clients' ends of the connections to a port, read from the kernel: a frozen server cannot be asked. */
export function openConnections(table: string, port: number): number {
  const remote = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  const established = '01'
  return table
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([, , to, state]) => to?.endsWith(remote) && state === established).length
}
