import { encodeEvent, encodeReply, type FakeEnsemble, type Rule } from '@ha/testing/zookeeper'

/** A defect of the bare driver, and the situation in which it appears. */
export interface Defect {
  readonly number: number
  /** The behaviour of the bare driver. */
  readonly what: string
  /** Creates the situation; a client that connects to node 1 afterwards is in it. */
  readonly arrange: (ensemble: FakeEnsemble) => void | Promise<void>
}

/** The data of a reply that is cut in the middle. */
export const longData: Buffer = Buffer.alloc(200, 'x')

/** Codes of the servers that are newer than the driver. */
export const youngCodes: readonly number[] = [-118, -119, -121, -122, -124, -125, -127]

/** Types of events that a driver of one-time watches does not expect: of removed watches, and unknown ones. */
export const oddEvents: readonly number[] = [5, 6, 7, -1]

const nothing = (): void => undefined
const scripted =
  (...rules: readonly Rule[]) =>
  (ensemble: FakeEnsemble): void => {
    ensemble.script(...rules)
  }

/**
 * All defects. The bare driver is tested for each of them here; the client, which must not have them, in its own tests.
 */
export const defects = {
  silentServer: {
    number: 1,
    what: 'stays connected for ever to a server that says nothing any more',
    arrange: (ensemble) => ensemble.node(1).freeze(),
  },
  silentHandshake: {
    number: 2,
    what: 'waits for ever for a server that accepts and does not greet',
    arrange: scripted({ when: { op: 'connect' }, do: 'silence' }),
  },
  busyNews: {
    number: 3,
    what: 'does not ping while it is told news',
    // Every 20 ms, until the ensemble is closed.
    arrange: (ensemble) => {
      const timer = setInterval(() => {
        const lines = ensemble.node(1).connections
        for (const line of lines) line.inject(encodeEvent(3, '/nobody-watches-this'))
        if (lines.length === 0) clearInterval(timer)
      }, 20)
    },
  },
  cutInFrame: {
    number: 4,
    what: 'puts the rest of one connection before the beginning of the next',
    arrange: scripted({
      when: { op: 'get-data', times: 1 },
      do: 'cut',
      how: 'end',
      at: { answerByte: 101 },
    }),
  },
  youngCode: {
    number: 5,
    what: 'throws at codes of newer servers',
    arrange: scripted(
      ...youngCodes.map((code): Rule => ({ when: { op: 'get-data', path: `/${code}` }, do: 'refuse', code })),
    ),
  },
  oddEvent: {
    number: 6,
    what: 'throws at kinds of news that it does not know',
    arrange: scripted(
      ...oddEvents.map((type): Rule => {
        return { when: { op: 'get-data', path: `/${type}` }, do: 'inject', bytes: encodeEvent(type, '/x') }
      }),
    ),
  },
  unsentAtExpiry: {
    number: 7,
    what: 'forgets what was not sent when the session has ended',
    arrange: scripted({ when: { op: 'connect' }, do: 'refuse', code: -112 }),
  },
  noDeadline: {
    number: 8,
    what: 'gathers requests without a bound and without a deadline while nobody is there',
    arrange: (ensemble) => ensemble.node(1).kill(),
  },
  acceptThenClose: {
    number: 9,
    what: 'logs in, and sets its watches, once more for every connection that came to nothing',
    arrange: (ensemble) => {
      ensemble.script({ when: { op: 'connect', times: 5 }, do: 'cut', how: 'end' })
      for (const line of ensemble.node(1).connections) line.drop()
    },
  },
  loginLate: {
    number: 10,
    what: 'logs in behind what it was asked for',
    arrange: nothing,
  },
  lossBeforeState: {
    number: 11,
    what: 'tells of a loss before it knows of it: who asks again at once never ends',
    arrange: scripted({ when: { op: 'get-data' }, do: 'cut', how: 'end' }),
  },
  manyWatches: {
    number: 12,
    what: 'sets all its watches in one frame, however large',
    arrange: nothing,
  },
  versionZero: {
    number: 13,
    what: 'takes version 0 in a transaction for any version',
    arrange: nothing,
  },
  noData: {
    number: 14,
    what: 'cannot write no data, although it says so',
    arrange: nothing,
  },
  numbers: {
    number: 15,
    what: 'counts its requests from 0, and beyond what the wire can carry',
    arrange: nothing,
  },
  close: {
    number: 16,
    what: 'cannot be closed before it is connected',
    arrange: nothing,
  },
  oneStateForAll: {
    number: 17,
    what: 'says of a session that is over that it is disconnected',
    arrange: scripted({ when: { op: 'connect' }, do: 'refuse', code: -112 }),
  },
  unprotectedCreate: {
    number: 18,
    what: 'creates a second node when the answer to the first is lost',
    arrange: scripted({ when: { op: 'create', times: 1 }, do: 'cut', how: 'end', at: 'unanswered' }),
  },
  throwingWatcher: {
    number: 19,
    what: 'does not read on behind news whose listener throws',
    // The event and the reply arrive together.
    arrange: (ensemble) => {
      ensemble.script({ when: { op: 'get-data', path: '/b' }, do: 'ignore' })
      void ensemble.log.until({ op: 'get-data', path: '/b' }).then(([entry]) => {
        const [line] = ensemble.node(1).connections
        const answer = encodeReply({ xid: entry?.xid ?? 0, zxid: 1n, code: -101 })
        line?.inject(Buffer.concat([encodeEvent(3, '/a'), answer]))
      })
    },
  },
  manyListeners: {
    number: 20,
    what: 'keeps every listener that was ever given for a path',
    arrange: nothing,
  },
  ephemeralParents: {
    number: 21,
    what: 'makes the parents of an ephemeral node ephemeral too',
    arrange: nothing,
  },
  anyZxid: {
    number: 22,
    what: 'believes that it has seen whatever an answer says',
    arrange: (ensemble) => {
      ensemble.script({ when: { op: 'get-data', path: '/b', times: 1 }, do: 'ignore' })
      void ensemble.log.until({ op: 'get-data', path: '/b' }).then(([entry]) => {
        const [line] = ensemble.node(1).connections
        line?.inject(encodeReply({ xid: entry?.xid ?? 0, zxid: -1n, code: -101 }))
      })
    },
  },
  steadyPace: {
    number: 23,
    what: 'comes back as often after the hundredth failure as after the first',
    arrange: scripted({ when: { op: 'connect' }, do: 'cut', how: 'end' }),
  },
  oldProtocol: {
    number: 24,
    what: 'speaks no TLS, and knows no request that is younger than itself',
    arrange: nothing,
  },
} as const satisfies Readonly<Record<string, Defect>>

/** The title of a test of a defect. */
export function titleOf({ number, what }: Defect): string {
  return `${what} (${number})`
}
