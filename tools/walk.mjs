// The walks of DESIGN.md: which files run between a call and its result. Each walk is played on a server inside this
// process under precise coverage, an idle stretch of the same length is subtracted, and what is left must be listed.
// `node tools/walk.mjs` checks the lists; `--print` prints the files that ran.
import { readFileSync } from 'node:fs'
import { Session } from 'node:inspector/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

/** The walks: how many files a reader may have to open, and what is played. */
const walks = {
  'publish()': { most: 11, play: playPublish },
  'query()': { most: 22, play: (measure) => playMariadb(measure, readRow) },
  'transaction()': { most: 27, play: (measure) => playMariadb(measure, insertTwice) },
  'lock().run()': { most: 25, play: playLock },
}

/** Throws when a file that runs is not listed, when a listed one does not run, or when a list is too long. */
export async function checkWalks() {
  const design = readFileSync(`${root}/DESIGN.md`, 'utf8')
  const problems = []
  for (const [name, { most, play }] of Object.entries(walks)) {
    const walk = readWalk(design, name)
    problems.push(...compare(walk, await play(measure)).map((problem) => `${name}: ${problem}`))
    if (walk.listed.length > most) problems.push(`${name}: ${walk.listed.length} files, more than ${most}`)
  }
  if (problems.length > 0) throw new Error(problems.join('\n'))
}

// What also runs while nothing is asked for may be listed, and need not be.
function compare({ listed, excused }, { ran, idle }) {
  const known = [...listed, ...excused]
  return [
    ...ran.filter((file) => !known.includes(file)).map((file) => `${file} ran and is not listed`),
    ...known
      .filter((file) => !ran.includes(file) && !idle.includes(file))
      .map((file) => `${file} is listed and did not run`),
  ]
}

// A walk is a numbered list under its heading; below the line "Also run:" stand the files with a reason.
function readWalk(design, name) {
  const section = design.split(/^### /m).find((part) => part.startsWith(`\`${name}\``))
  if (section === undefined) throw new Error(`DESIGN.md has no walk \`${name}\``)
  const filesOf = (pattern) => [...section.matchAll(pattern)].map(([, file]) => `packages/${file}`)
  return {
    listed: filesOf(/^\d+\. `([^`]+)`/gm),
    excused: filesOf(/^- `([^`]+)`: ./gm),
  }
}

async function measure(call) {
  const session = new Session()
  session.connect()
  await session.post('Profiler.enable')
  await session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: false })
  // Functions are counted since the last look: a first look empties the counters.
  await session.post('Profiler.takePreciseCoverage')
  await sleep(200)
  const idle = await filesThatRan(session)
  await call()
  const during = await filesThatRan(session)
  await session.post('Profiler.stopPreciseCoverage')
  session.disconnect()
  return { ran: during.filter((file) => !idle.includes(file)).sort(), idle }
}

async function filesThatRan(session) {
  const { result } = await session.post('Profiler.takePreciseCoverage')
  return result
    .filter(({ functions }) =>
      functions.some(({ ranges: [range] }) => range !== undefined && range.count > 0),
    )
    .map(({ url }) => /\/packages\/((?!testing\/)[a-z]+)\/dist\/(.+)\.js$/.exec(url))
    .filter((match) => match !== null)
    .map(([, name, path]) => `packages/${name}/src/${path}.ts`)
}

async function playPublish(measured) {
  const { startFakeCluster } = await load('testing/dist/rabbit/index.js')
  const { createRabbit, quorum } = await load('rabbit/dist/index.js')
  const cluster = await startFakeCluster()
  const rabbit = createRabbit({ addresses: cluster.addresses, topology: { queues: { q: quorum() } } })
  try {
    await rabbit.ready()
    const publisher = rabbit.publisher({ key: 'q' })
    for (let i = 0; i < 3; i += 1) await publisher.publish({ i })
    return await measured(() => publisher.publish({ measured: true }))
  } finally {
    await rabbit.close()
    await cluster.close()
  }
}

const readRow = (db) => db.query('SELECT v FROM t WHERE k = ?', [1])
const insertTwice = (db) =>
  db.transaction(async (tx) => {
    await tx.query('UPDATE t SET v = v + ? WHERE k = ?', [1, 1])
    return tx.query('SELECT v FROM t WHERE k = ?', [1])
  })

async function playMariadb(measured, call) {
  const { startFakeGalera } = await load('testing/dist/mariadb/index.js')
  const { createMariadb } = await load('mariadb/dist/index.js')
  const cluster = await startFakeGalera({ users: { ha: 'ha' }, schemas: ['ha'] })
  const db = createMariadb({ hosts: cluster.addresses, username: 'ha', password: 'ha', database: 'ha' })
  try {
    await db.ready()
    await db.query('CREATE TABLE t (k INT NOT NULL PRIMARY KEY, v INT NOT NULL)')
    await db.query('INSERT INTO t VALUES (?, ?)', [1, 1])
    for (let i = 0; i < 3; i += 1) await call(db)
    return await measured(() => call(db))
  } finally {
    await db.close()
    await cluster.close()
  }
}

async function playLock(measured) {
  const { startFakeEnsemble } = await load('testing/dist/zookeeper/index.js')
  const { createZookeeper } = await load('zookeeper/dist/index.js')
  const ensemble = await startFakeEnsemble()
  const zookeeper = createZookeeper(ensemble.connectString)
  try {
    await zookeeper.ready()
    const once = () => zookeeper.lock('/l').run(async () => undefined)
    for (let i = 0; i < 3; i += 1) await once()
    return await measured(once)
  } finally {
    await zookeeper.close()
    await ensemble.close()
  }
}

function load(path) {
  return import(new URL(`../packages/${path}`, import.meta.url).href)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (process.argv.includes('--print')) {
    for (const [name, { play }] of Object.entries(walks)) {
      const { ran } = await play(measure)
      console.log(`${name}: ${ran.length} files\n${ran.map((file) => `  ${file}`).join('\n')}`)
    }
  } else await checkWalks()
}
