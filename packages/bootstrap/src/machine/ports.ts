import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { connect, createServer, type Server } from 'node:net'
import { portUnits } from '../model/network.ts'
import { processName } from './process-table.ts'

/** Whether a server could listen on this port of 127.0.0.1 and of every interface now. */
export async function isPortFree(port: number): Promise<boolean> {
  return (await canListen(port, '127.0.0.1')) && (await canListen(port, '0.0.0.0'))
}

/** The process that listens on the port, as `beam.smp, pid 4711`; undefined when this user may not see it. */
export function portHolder(port: number): string | undefined {
  const inode = inodeOfListener(port)
  if (inode === undefined) return undefined
  const pid = readdirSync('/proc').find((entry) => /^\d+$/.test(entry) && holdsSocket(entry, inode))
  return pid === undefined ? undefined : `${processName(Number(pid))}, pid ${pid}`
}

function canListen(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)))
  })
}

// Columns of /proc/net/tcp: slot, local address, remote address, state (0A is listening), and at index 9 the inode.
function inodeOfListener(port: number): string | undefined {
  const hex = port.toString(16).toUpperCase().padStart(4, '0')
  const rows = ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((path) => readFileSync(path, 'utf8').split('\n'))
  return rows
    .map((row) => row.trim().split(/\s+/))
    .find((columns) => columns[1]?.endsWith(`:${hex}`) && columns[3] === '0A')?.[9]
}

function holdsSocket(pid: string, inode: string): boolean {
  try {
    const folder = `/proc/${pid}/fd`
    return readdirSync(folder).some((fd) => readlinkSync(`${folder}/${fd}`) === `socket:[${inode}]`)
  } catch {
    // The process has ended, or belongs to another user and stays unnamed.
    return false
  }
}

// A partitioned address does not even refuse a connection; every other address on this machine answers at once.
const connectTimeoutMs = 1_000

/** Whether a unix socket, or a port of an address, accepts a connection within a second. */
export function acceptsConnections(
  target: string | { readonly host: string; readonly port: number },
): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = typeof target === 'string' ? connect(target) : connect(target)
    const settle = (answer: boolean): void => {
      socket.destroy()
      resolve(answer)
    }
    socket.setTimeout(connectTimeoutMs, () => settle(false))
    socket.once('connect', () => settle(true))
    socket.once('error', () => settle(false))
  })
}

/** Ports that no other lab of this machine can choose until it is released, or its process ends. */
export interface PortClaim {
  release(): void
}

/** Who claims ports: a start that is under way, or the supervisor of a lab. */
export type PortClaimant = 'start' | 'lab'

/**
 * Claims ports machine-wide, for all users and all folders of labs; undefined when another process has claimed one of
 * them in the same role. The claims are abstract sockets: the kernel grants a name once in each network namespace, as it
 * does with ports, and frees it with its process.
 */
export async function claimPorts(
  claimant: PortClaimant,
  ports: readonly number[],
): Promise<PortClaim | undefined> {
  const held: Server[] = []
  const release = (): void => {
    for (const server of held) server.close()
  }
  for (const unit of portUnits(ports)) {
    const server = await listenOn(claimPath(claimant, unit))
    if (server === undefined) {
      release()
      return undefined
    }
    held.push(server)
  }
  return { release }
}

/** Whether the supervisor of a lab has claimed one of the ports, whatever its servers do. */
export async function areClaimedByLab(ports: readonly number[]): Promise<boolean> {
  const answers = await Promise.all(
    portUnits(ports).map((unit) => acceptsConnections(claimPath('lab', unit))),
  )
  return answers.includes(true)
}

function claimPath(claimant: PortClaimant, unit: number): string {
  return `\0hactl-${claimant}-${unit}`
}

function listenOn(path: string): Promise<Server | undefined> {
  return new Promise((resolve) => {
    const server = createServer((socket) => socket.destroy())
    // A claim does not keep its process alive.
    server.unref()
    server.once('error', () => resolve(undefined))
    server.listen(path, () => resolve(server))
  })
}
