import { describe, expect, test } from 'vitest'
import type { Mode } from '../../src/options/resolved-options.ts'
import { type RouteRules, type RouteTarget, route } from '../../src/routing/route.ts'
import { galera, replica, rulesFor, type Server, server, viewOf } from './servers.ts'

interface More {
  readonly avoid?: readonly string[]
  readonly busy?: Readonly<Record<string, number>>
  readonly onProbation?: readonly string[]
  readonly incumbent?: string
  readonly rules?: Partial<RouteRules>
}

/** The hosts to try, in order, or the code of the error. */
function chosen(mode: Mode, target: RouteTarget, servers: readonly Server[], more: More = {}): string {
  const { avoid = [], busy = {}, onProbation = [] } = more
  const routing = route(
    rulesFor(mode, servers, more.rules),
    { target: target, avoid: new Set(avoid.map((name) => `${name}:3306`)), allowOtherWriters: true },
    {
      view: viewOf(servers),
      load: ({ host }) => ({ inUse: busy[host] ?? 0, waiting: 0, free: 10 }),
      onProbation: ({ host }) => onProbation.includes(host),
      currentWriter: more.incumbent === undefined ? undefined : `${more.incumbent}:3306`,
      random: () => 0.5,
    },
  )
  return routing.kind === 'go' ? routing.endpoints.map(({ host }) => host).join(' ') : routing.error.code
}

const three = (change: readonly Partial<Server>[] = []): readonly Server[] =>
  ['a', 'b', 'c'].map((name, i) => ({ name, reading: galera(), ...change[i] }))

const pair: readonly Server[] = [
  { name: 'p', reading: server() },
  { name: 'r', reading: replica(), role: 'replica' },
  { name: 's', reading: replica(), role: 'replica' },
]

describe('which servers are tried, by mode and wish', () => {
  test.each<[Mode, RouteTarget, string]>([
    ['none', 'primary', 'a b c'],
    ['none', 'replica', 'a b c'],
    ['sequential', 'primary', 'a b c'],
    ['sequential', 'replica', 'a b c'],
    ['sequential', 'any', 'c b a'],
    ['loadbalance', 'primary', 'c b a'],
    ['loadbalance', 'replica', 'c b a'],
    ['load-balance-read', 'primary', 'a b c'],
    ['load-balance-read', 'replica', 'c b a'],
  ])('%s, %s: of three equals %s', (mode, target, expected) => {
    expect(chosen(mode, target, three(), { busy: { a: 3, b: 2, c: 1 } })).toBe(expected)
  })

  test.each<[Mode, RouteTarget, string]>([
    ['replication', 'primary', 'p'],
    ['replication', 'replica', 's r p'],
    ['replication', 'any', 's r p'],
    ['load-balance-read', 'primary', 'p'],
    ['load-balance-read', 'replica', 's r p'],
    ['aurora', 'primary', 'p'],
    ['aurora', 'replica', 's r p'],
  ])('%s, %s: of a primary and two replicas %s', (mode, target, expected) => {
    expect(chosen(mode, target, pair, { busy: { p: 3, r: 2, s: 1 } })).toBe(expected)
  })
})

describe('what a Galera node says of itself decides', () => {
  const cases: readonly [string, ReturnType<typeof galera>][] = [
    ['has lost its quorum', galera({ ready: false, status: 'non-Primary' })],
    ['is not ready', galera({ ready: false })],
    ['is joining', galera({ localState: 1 })],
    ['has joined and catches up', galera({ localState: 3 })],
    ['rejects queries', galera({ rejectQueries: 'ALL' })],
    ['belongs to another cluster', galera({ clusterUuid: '22222222-2222-2222-2222-222222222222' })],
    ['feeds another node and refuses statements', galera({ localState: 2, donorRejects: true })],
  ]
  test.each(cases)('a node that %s is not used', (_, reading) => {
    expect(chosen('sequential', 'primary', three([{ reading }]))).toBe('b c')
    expect(chosen('loadbalance', 'replica', three([{ reading }]))).toBe('b c')
  })

  test('a donor comes last, and is used when it is alone', () => {
    const donor = { reading: galera({ localState: 2, desync: true }) }
    const down = { health: 'down' } as const
    expect(chosen('sequential', 'primary', three([donor]))).toBe('b c a')
    expect(chosen('sequential', 'primary', three([donor, down, down]))).toBe('a')
    expect(chosen('sequential', 'primary', three([donor]), { rules: { donor: 'allow' } })).toBe('a b c')
    expect(chosen('sequential', 'primary', three([donor]), { rules: { donor: 'never' } })).toBe('b c')
  })

  test('without a quorum anywhere it is refused by its own code, and may be waited for', () => {
    const lost = { reading: galera({ ready: false, status: 'non-Primary' }) }
    expect(chosen('sequential', 'primary', three([lost, lost, lost]))).toBe('no-primary-component')
  })

  test('the smaller of two clusters is left alone, the first listed of two equals is used', () => {
    const other = { reading: galera({ clusterUuid: '22222222-2222-2222-2222-222222222222' }) }
    expect(chosen('sequential', 'primary', three([other]))).toBe('b c')
    expect(chosen('sequential', 'primary', three([other]).slice(0, 2))).toBe('a')
  })

  test('`galera: off` believes none of it, `require` refuses a server without', () => {
    const lost = { reading: galera({ ready: false, status: 'non-Primary' }) }
    expect(chosen('sequential', 'primary', three([lost]), { rules: { galera: 'off' } })).toBe('a b c')
    expect(
      chosen('sequential', 'primary', [{ name: 'a', reading: server() }], { rules: { galera: 'require' } }),
    ).toBe('refused')
  })
})

describe('what a replica says of itself decides', () => {
  test.each([
    ['does not replicate', replica({ state: 'stopped' })],
    ['lags too far behind', replica({ lagMs: 10_001 })],
  ])('one that %s serves no reads', (_, reading) => {
    const servers = [pair[0]!, { ...pair[1]!, reading }, pair[2]!]
    expect(chosen('replication', 'replica', servers)).toBe('s p')
  })

  test('one that cannot reach its primary is read when nobody else is left', () => {
    const reading = replica({ state: 'cut-off' })
    const servers = [{ ...pair[0]!, health: 'down' as const }, { ...pair[1]!, reading }, pair[2]!]
    expect(chosen('replication', 'replica', servers)).toBe('s r')
  })

  test('a listed replica never takes writes, even when it could', () => {
    const servers = [
      { ...pair[0]!, health: 'down' as const },
      { ...pair[1]!, reading: server() },
    ]
    expect(chosen('replication', 'primary', servers)).toBe('read-only')
  })

  test('a primary that became read-only takes no writes', () => {
    const servers = [{ ...pair[0]!, reading: server({ readOnly: true }) }, ...pair.slice(1)]
    expect(chosen('replication', 'primary', servers)).toBe('read-only')
  })

  test('whose lag our user may not know is read all the same', () => {
    const reading = server({ readOnly: true, replica: { kind: 'not-allowed' } })
    expect(chosen('replication', 'replica', [pair[0]!, { ...pair[1]!, reading }])).toBe('r p')
  })
})

describe('what we believe of a server decides', () => {
  test('one that is down, or has not answered yet, is not tried', () => {
    expect(chosen('sequential', 'any', three([{ health: 'down' }, { health: 'unknown' }]))).toBe('c')
  })

  test('writes wait until all that stand before the first fit server have answered or failed', () => {
    expect(chosen('sequential', 'primary', three([{ health: 'unknown' }]))).toBe('unreachable')
    expect(chosen('sequential', 'primary', three([{}, { health: 'unknown' }]))).toBe('a c')
    expect(chosen('sequential', 'primary', three([{ health: 'down' }]))).toBe('b c')
    expect(chosen('loadbalance', 'primary', three([{ health: 'unknown' }]))).toBe('b c')
    expect(chosen('replication', 'primary', [{ ...pair[1]!, health: 'unknown' }, pair[0]!])).toBe('p')
  })

  test('one missed answer moves the reads, and not the single writer', () => {
    expect(chosen('sequential', 'primary', three([{ health: 'suspect' }]))).toBe('a b c')
    expect(chosen('loadbalance', 'primary', three([{ health: 'suspect' }]))).toBe('b c a')
  })

  test('one that came back stands behind the others until it has been well for a while', () => {
    expect(chosen('sequential', 'primary', three([{ health: 'probation' }]))).toBe('b c a')
    expect(chosen('sequential', 'primary', three(), { onProbation: ['a'] })).toBe('b c a')
    const all = three([{ health: 'probation' }, { health: 'probation' }, { health: 'probation' }])
    expect(chosen('sequential', 'primary', all)).toBe('a b c')
  })

  test('the writer stays while it and those before it have to prove themselves', () => {
    const onProbation = ['a', 'b', 'c']
    expect(chosen('sequential', 'primary', three(), { onProbation, incumbent: 'b' })).toBe('b a c')
    expect(chosen('sequential', 'primary', three(), { onProbation: ['b', 'c'], incumbent: 'b' })).toBe(
      'a b c',
    )
    expect(chosen('sequential', 'primary', three([{}, { health: 'down' }]), { incumbent: 'b' })).toBe('a c')
  })

  test('one that failed this very call comes last', () => {
    expect(chosen('sequential', 'primary', three(), { avoid: ['a'] })).toBe('b c a')
  })

  test('logins that all servers refuse are told at once, others are waited for', () => {
    const refused = { health: 'down' as const, lastError: Object.assign(new Error('1045'), {}) }
    expect(chosen('sequential', 'primary', three([refused, refused, refused]))).toBe('unreachable')
  })
})
