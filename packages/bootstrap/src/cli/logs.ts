import { closeSync, openSync, readSync, statSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import { openLab } from '../client/find-labs.ts'
import { logTail } from '../machine/lab-folder.ts'
import { labError } from '../model/codes.ts'
import { unknownNode } from '../model/unknown-node.ts'
import type { Answer, Context } from './context.ts'
import { exitCodes } from './exit-code.ts'

const shownLines = 100
const lookMs = 200

/** Prints the end of a node's log, and with --follow what is added to it. */
export async function logs(
  node: string,
  flags: { readonly name?: string; readonly follow?: boolean },
  context: Context,
): Promise<Answer> {
  if (flags.follow === true && context.isJson) {
    throw labError('usage', '--json prints one document and --follow has no end; leave one of them out')
  }
  const lab = openLab(flags.name)
  const path = lab.nodes.find(({ name }) => name === node)?.logPath
  if (path === undefined) throw unknownNode({ lab: lab.name, nodes: lab.nodes }, node)
  const lines = logTail(path, shownLines)
  if (flags.follow !== true) return { json: { node, path, lines }, text: lines, exitCode: exitCodes.ok }
  context.print(lines.map((line) => `${line}\n`).join(''))
  await follow(path, context)
  return { json: null, text: [], exitCode: exitCodes.interrupted }
}

// A log only grows; polling its size costs nothing and works on every file system.
async function follow(path: string, context: Context): Promise<void> {
  let offset = statSync(path).size
  while (!context.signal.aborted) {
    await setTimeout(lookMs)
    const { size } = statSync(path)
    if (size > offset) context.print(readFrom(path, offset, size - offset))
    offset = size
  }
}

function readFrom(path: string, offset: number, length: number): string {
  const buffer = Buffer.alloc(length)
  const file = openSync(path, 'r')
  try {
    return buffer.toString('utf8', 0, readSync(file, buffer, 0, length, offset))
  } finally {
    closeSync(file)
  }
}
