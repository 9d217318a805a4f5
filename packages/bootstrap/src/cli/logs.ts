import { closeSync, existsSync, openSync, readSync, statSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import { openLab } from '../client/find-labs.ts'
import { logTail } from '../machine/lab-folder.ts'
import { labError } from '../model/codes.ts'
import { unknownNode } from '../model/unknown-node.ts'
import type { VerbContext, VerbResult } from './context.ts'
import { exitCodes } from './exit-code.ts'

const shownLines = 100
const logPollMs = 200

/** Prints the end of a node's log, and with --follow what is added to it. */
export async function logs(
  node: string,
  flags: { readonly name?: string; readonly follow?: boolean },
  context: VerbContext,
): Promise<VerbResult> {
  if (flags.follow === true && context.isJson) {
    throw labError('usage', '--json prints one document and --follow has no end; leave one of them out')
  }
  const lab = openLab(flags.name)
  const path = lab.nodes.find(({ name }) => name === node)?.logPath
  if (path === undefined) throw unknownNode({ lab: lab.name, nodes: lab.nodes }, node)
  if (flags.follow === true) return await followLog(path, lab.folder, context)
  const lines = logTail(path, shownLines)
  return { json: { node, path, lines }, text: lines, exitCode: exitCodes.ok }
}

// A log only grows; polling its size costs nothing and works on every file system. It begins with the node's first
// start, and it is gone with the lab.
async function followLog(path: string, folder: string, context: VerbContext): Promise<VerbResult> {
  let offset = sizeOf(path) ?? 0
  context.print(tailOf(readFrom(path, 0, offset)))
  while (!context.signal.aborted) {
    await setTimeout(logPollMs)
    const size = sizeOf(path)
    if (size === undefined && !existsSync(folder)) {
      return { json: null, text: ['the lab has ended, and its logs with it'], exitCode: exitCodes.ok }
    }
    if (size !== undefined && size > offset) context.print(readFrom(path, offset, size - offset))
    offset = size ?? 0
  }
  return { json: null, text: [], exitCode: exitCodes.interrupted }
}

function sizeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.size
}

function tailOf(text: string): string {
  const lines = text.split('\n').filter((line) => line.trim() !== '')
  return lines
    .slice(-shownLines)
    .map((line) => `${line}\n`)
    .join('')
}

function readFrom(path: string, offset: number, length: number): string {
  if (length === 0) return ''
  const buffer = Buffer.alloc(length)
  const file = openSync(path, 'r')
  try {
    return buffer.toString('utf8', 0, readSync(file, buffer, 0, length, offset))
  } finally {
    closeSync(file)
  }
}
