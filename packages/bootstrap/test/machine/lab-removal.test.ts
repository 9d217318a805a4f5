import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { findLabs, findLeftovers, openLab } from '../../src/client/find-labs.ts'
import { isUnused } from '../../src/client/start-lab.ts'
import { createDraftFolder, removeLabFolder, removeStaleDrafts } from '../../src/machine/lab-folder.ts'
import { labMark } from '../../src/machine/process-table.ts'

let home: string
let labs: string
let child: ChildProcess | undefined

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'hactl-drafts-'))
  labs = join(home, 'labs')
  mkdirSync(join(labs, 'cut'), { recursive: true })
  writeFileSync(join(labs, 'cut', 'plan.json'), '{"sch')
})
afterEach(() => {
  child?.kill('SIGKILL')
  child = undefined
  rmSync(home, { recursive: true })
})

const startMarked = async (): Promise<ChildProcess> => {
  child = spawn('sleep', ['60'], { env: { ...process.env, [labMark]: join(labs, 'cut') } })
  await once(child, 'spawn')
  return child
}

test('a draft and what is being removed have names that no lab can have', () => {
  const draft = createDraftFolder(join(labs, 'shop'))

  expect(draft).toContain(`/.shop.${process.pid}.`)
  expect(findLabs({ home })).toEqual([])
})

test('a removed folder is gone, and removing it again does nothing', () => {
  removeLabFolder(join(labs, 'cut'))
  removeLabFolder(join(labs, 'cut'))

  expect(readdirSync(labs)).toEqual([])
})

test('what dead processes left half made is swept away; what living ones make is not', async () => {
  const dead = spawn('true')
  await once(dead, 'exit')
  mkdirSync(join(labs, `.shop.${dead.pid}.a1B2c3`, 'home'), { recursive: true })
  const draft = createDraftFolder(join(labs, 'shop'))

  removeStaleDrafts(labs)

  expect(readdirSync(labs).map((name) => join(labs, name))).toEqual(expect.arrayContaining([draft]))
  expect(readdirSync(labs)).toHaveLength(2)
})

test('a plan that was cut short is no lab, and whoever asks for it hears what to type', () => {
  expect(findLabs({ home })).toEqual([])
  expect(() => openLab('cut', { home })).toThrow('run: hactl down --name cut')
})

test('a leftover is ended with every process of it', async () => {
  const marked = await startMarked()
  const gone = once(marked, 'exit')

  for (const leftover of findLeftovers({ home })) await leftover.down()

  expect((await gone)[1]).toBe('SIGKILL')
  expect(existsSync(join(labs, 'cut'))).toBe(false)
})

test('a folder is deserted when no process of it lives', async () => {
  await startMarked()
  expect(await isUnused(join(labs, 'cut'))).toBe(false)

  child?.kill('SIGKILL')
  await expect.poll(() => isUnused(join(labs, 'cut'))).toBe(true)
})
