import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

/** The addresses on which a process listens for TCP, read from the kernel: `127.0.0.1`, `0.0.0.0`, or IPv6 in hex. */
export function listeningAddresses(pid: number): readonly string[] {
  const sockets = new Set(readdirSync(`/proc/${pid}/fd`).map((fd) => linkOf(`/proc/${pid}/fd/${fd}`)))
  return ['tcp', 'tcp6']
    .flatMap((table) => readFileSync(`/proc/net/${table}`, 'utf8').split('\n'))
    .map((line) => line.trim().split(/\s+/))
    .filter((columns) => columns[3] === listens && sockets.has(`socket:[${columns[9]}]`))
    .map((columns) => addressOf(columns[1]?.split(':')[0] ?? ''))
}

/** R, S, T and so on; undefined when there is no such process, or only a dead one. */
export function processState(pid: number): string | undefined {
  const stat = textOf(`/proc/${pid}/stat`)
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  // A dead process holds its sockets until the last of its threads is gone.
  const isDead = fields[0] === 'Z' && Number(fields[17]) <= 1
  return isDead ? undefined : fields[0]?.[0]
}

/** The processes of the lab in this folder. */
export function marked(folder: string): readonly string[] {
  return readdirSync('/proc').filter(
    (pid) => /^\d+$/.test(pid) && textOf(`/proc/${pid}/environ`).split('\0').includes(`HACTL_LAB=${folder}`),
  )
}

const listens = '0A'

// An IPv4 address is one little-endian word.
function addressOf(hex: string): string {
  if (hex.length !== 8) return hex
  return [6, 4, 2, 0].map((at) => Number.parseInt(hex.slice(at, at + 2), 16)).join('.')
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    // Ended since it was listed.
    return ''
  }
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    // Closed since it was listed.
    return ''
  }
}
