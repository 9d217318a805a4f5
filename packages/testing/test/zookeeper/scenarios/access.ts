import { type AclEntry, JuteWriter, readAcl, writeAcl } from '../../../src/zookeeper/wire/records.ts'
import type { RawClient, Reply } from '../raw-client.ts'
import { codeOf, statOf } from './comparable-stat.ts'
import type { Harness, Scenario } from './harness.ts'

const creatorAll: readonly AclEntry[] = [{ permissions: 31, scheme: 'auth', id: '' }]
const readOnly: readonly AclEntry[] = [{ permissions: 1, scheme: 'world', id: 'anyone' }]
const digest = 'joe:oesAybBun9icKJjQSTRN8OBueSc='

/** Who may do what. */
export const access: readonly Scenario[] = [
  {
    name: 'a node of one who has logged in',
    act: async (stage) => {
      const [one, other] = await twoClients(stage)
      const codes = [codeOf(await one.auth('digest', 'joe:secret'))]
      codes.push(codeOf(await one.create(stage.path('a'), { acl: creatorAll })))
      for (const client of [one, other]) codes.push(...(await tried(stage, client)))
      codes.push(codeOf(await other.auth('digest', 'joe:secret')), ...(await tried(stage, other)))
      return codes
    },
    expected: [0, 0, 0, 0, 0, 0, -102, -102, -102, -102, 0, 0, 0, 0, 0],
  },
  {
    name: 'what a stranger sees of an ACL, and how it is changed',
    act: async (stage) => {
      const [one, other] = await twoClients(stage)
      await one.auth('digest', 'joe:secret')
      await one.create(stage.path('a'), { acl: creatorAll })
      const [own, hidden] = [aclOf(await acl(stage, one)), aclOf(await acl(stage, other))]
      const opened = [...readOnly, ...entries('digest', digest)]
      const changed = statOf(await setAcl(stage, one, opened, 0))
      return [
        own,
        hidden,
        changed,
        aclOf(await acl(stage, other)),
        codeOf(await setAcl(stage, one, readOnly, 0)),
        codeOf(await setAcl(stage, other, readOnly, 1)),
      ]
    },
    expected: [
      [31, 'digest', digest],
      [-102],
      {
        version: 0,
        cversion: 0,
        aversion: 1,
        owner: 'none',
        dataLength: 0,
        numChildren: 0,
        isOld: [true, true],
      },
      [1, 'world', 'anyone', 31, 'digest', 'joe:x'],
      -103,
      -102,
    ],
  },
  {
    name: 'ACLs that cannot be',
    act: async (stage) => {
      const one = await stage.opened()
      const codes = []
      for (const impossible of [
        [],
        creatorAll,
        entries('world', 'joe'),
        entries('unknown', 'x'),
        entries('digest', 'x'),
      ])
        codes.push(codeOf(await one.create(stage.path('a'), { acl: impossible })))
      return codes
    },
    expected: [-114, -114, -114, -114, -114],
  },
  {
    name: 'a login that the server does not know',
    act: async (stage) => {
      const one = await stage.opened()
      const reply = await one.auth('unknown', 'x')
      await stage.heardBy(one)
      await one.ping()
      return [codeOf(reply), reply?.xid, one.isEnded]
    },
    expected: [-115, -4, true],
  },
]

async function twoClients(stage: Harness): Promise<readonly [RawClient, RawClient]> {
  return [await stage.opened(), (await stage.actor()).client]
}

function entries(scheme: string, id: string): readonly AclEntry[] {
  return [{ permissions: 31, scheme, id }]
}

async function tried(stage: Harness, client: RawClient): Promise<readonly (number | 'end')[]> {
  const path = stage.path('a')
  return [
    codeOf(await client.read('get-data', path)),
    codeOf(await client.set(path, 'x')),
    codeOf(await client.read('get-children2', path)),
    codeOf(await client.create(`${path}/n-`, { flags: 2, op: 'create' })),
  ]
}

function acl(stage: Harness, client: RawClient): Promise<Reply | undefined> {
  return client.ask('get-acl', new JuteWriter().text(stage.path('a')))
}

function setAcl(
  stage: Harness,
  client: RawClient,
  wanted: readonly AclEntry[],
  version: number,
): Promise<Reply | undefined> {
  return client.ask('set-acl', writeAcl(new JuteWriter().text(stage.path('a')), wanted).int(version))
}

function aclOf(reply: Reply | undefined): readonly unknown[] {
  if (reply?.code !== 0) return [codeOf(reply)]
  return readAcl(reply.body).flatMap(({ permissions, scheme, id }) => [permissions, scheme, id])
}
