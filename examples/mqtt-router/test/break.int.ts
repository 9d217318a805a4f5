import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

const script = fileURLToPath(new URL('../dist/demo/break.js', import.meta.url))

it('withdraws a gateway that hangs, keeps what is for its users, and loses nothing', async () => {
  const child = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [printed, [code]] = await Promise.all([text(child.stdout), once(child, 'exit')])

  const counts = JSON.parse(printed.match(/\{"accepted".*\}/)?.[0] ?? '{}') as Record<string, number>
  expect(code, printed).toBe(0)
  expect(printed).toMatch(/gw2 hangs.*gw2: withheld.*gw2 is withdrawn after/s)
  // Carol waits for her gateway.
  expect(printed).toMatch(/gw2 is withdrawn.*in mailboxes \{.*"carol":\d+.*gw2 resumes/s)
  expect(printed).toMatch(
    /gw2 resumes.*gw2: registered.*gw2 is registered again after.*the mailboxes are empty/s,
  )
  expect(counts).toMatchObject({ delivered: counts['accepted'], inMailboxes: 0, lost: 0, outOfOrder: 0 })
  expect(counts['accepted']).toBeGreaterThan(200)
})
