import { expect, test } from 'vitest'
import { assessAgreement, type MemberView } from '../../src/model/membership.ts'
import { readView } from '../../src/zookeeper/probe.ts'

const metrics = (told: Readonly<Record<string, string | number>>): string =>
  Object.entries(told)
    .map(([name, value]) => `${name}\t${value}\n`)
    .join('')
const leader = (synced: number): string =>
  metrics({
    zk_version: '3.8.0',
    zk_server_state: 'leader',
    zk_quorum_size: 3,
    zk_synced_followers: synced,
  })
const follower = metrics({ zk_version: '3.8.0', zk_server_state: 'follower', zk_quorum_size: 3 })
const lost = 'This ZooKeeper instance is not currently serving requests\n'
const judged = (...outputs: readonly string[]) =>
  assessAgreement(outputs.map((output, i) => ({ member: `server.${i + 1}`, view: readView(output) })))

test('a leader that all others keep up with names all members', () => {
  const members = ['server.1', 'server.2', 'server.3']

  expect(readView(leader(2))).toEqual({
    kind: 'answered',
    role: 'leader',
    members,
    running: members,
    apart: [],
    history: null,
  })
})

test.each<[string, MemberView]>([
  [
    leader(1),
    { kind: 'starting', role: 'leader', because: 'it leads, and 1 of its 2 followers are synchronized' },
  ],
  [follower, { kind: 'vouched', role: 'follower', history: null }],
  [metrics({ zk_server_state: 'standalone' }), { kind: 'vouched', role: 'standalone', history: null }],
  [lost, { kind: 'starting', because: 'it has no leader' }],
  ['', { kind: 'starting', because: 'it has no leader' }],
])('%j is read', (output, view) => {
  expect(readView(output)).toEqual(view)
})

test('an ensemble agrees when one leads and all others follow it', () => {
  expect(judged(follower, leader(2), follower).kind).toBe('agreed')
  expect(judged(metrics({ zk_server_state: 'standalone' })).kind).toBe('agreed')
})

test.each([
  ['a member without a leader', [follower, leader(1), lost], 'server.2'],
  ['a member that follows somebody else', [leader(1), leader(1), follower], 'server.1'],
] as const)('%s is no agreement', (_, outputs, member) => {
  expect(judged(...outputs)).toMatchObject({ kind: 'disagreed', member })
})
