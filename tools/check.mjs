// The packaging checks: what a user would find wrong with a package before the first line of code runs.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import { inEmptyFolder, install, packAll, published, useFrom } from './pack.mjs'
import { prepare, run } from './prepare.mjs'
import { checkReadmeSnippets } from './readme-snippets.mjs'
import { Steps } from './steps.mjs'
import { checkWalks } from './walk.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))

// What `npm install` of a package may bring beside itself. Everything else is a surprise for the user.
const allowed = {
  core: ['eventemitter3', 'generic-pool'],
  testing: ['@ha/core', 'eventemitter3', 'generic-pool'],
  rabbit: ['@ha/core', 'amqplib', 'eventemitter3', 'generic-pool'],
  mariadb: [
    '@ha/core',
    '@types/geojson',
    '@types/node',
    'denque',
    'eventemitter3',
    'generic-pool',
    'iconv-lite',
    'lru-cache',
    'mariadb',
    'safer-buffer',
    'undici-types',
  ],
  zookeeper: ['@ha/core', 'async', 'eventemitter3', 'generic-pool', 'node-zookeeper-client', 'underscore'],
  bootstrap: ['@ha/core', 'commander', 'eventemitter3', 'generic-pool'],
}

// What the own packages of an installation take at most, unpacked, in bytes. @ha/rabbit took 2 655 265 when the fakes and
// the compiler's own files were packed with it, and half of that without them; retries, streams and the rest of what the
// field asked for are 120 000 bytes more, requests and replies 75 000, routes and messages that a broker refuses 50 000.
const mostBytes = { rabbit: 1_650_000 }

/** Runs all packaging checks into `steps`. */
export async function checkPackages(steps) {
  await steps.run('nothing is written twice in two clients (jscpd, 60 tokens)', checkCopies)
  await steps.run('the walks of DESIGN.md name every file that runs (precise coverage)', checkWalks)
  await steps.run('the TypeScript blocks of the READMEs compile', checkReadmeSnippets)
  await steps.run('every changeset names its packages', checkChangesets)
  await steps.run('docs/api is what the sources say (typedoc)', () => {
    if (run(process.execPath, ['tools/api-doc.mjs', '--check']) !== 0) throw new Error('see above')
  })
  await steps.run('no unused file, export or dependency (knip)', () =>
    tool('knip', 'bin/knip.js', ['--no-progress']),
  )
  await inEmptyFolder(async (folder) => {
    const files = packAll(folder)
    for (const name of published) {
      await steps.run(`@ha/${name}: no link of the README leaves the pack`, () => checkLinks(files[name]))
      await steps.run(`@ha/${name}: publint`, () => tool('publint', 'src/cli.js', [files[name], '--strict']))
      await steps.run(`@ha/${name}: types resolve (attw)`, () =>
        tool('@arethetypeswrong/cli', 'dist/index.js', [files[name], '--profile', 'esm-only', '--quiet']),
      )
      await steps.run(`@ha/${name}: packed, installed and used from ESM and require()`, () =>
        usePack(name, files),
      )
    }
  })
}

// The registry shows the README without the repository around it: a relative link must lead to a file of the pack.
function checkLinks(file) {
  const packed = execFileSync('tar', ['-tzf', file], { encoding: 'utf8' }).split('\n')
  const text = execFileSync('tar', ['-xzOf', file, 'package/README.md'], { encoding: 'utf8' })
  const targets = [
    ...text.matchAll(/\]\(\s*<?([^)>\s]+)|^\[[^\]]+\]:\s*<?([^>\s]+)|(?:href|src)="([^"]+)"/gm),
  ]
    .map(([, inline, reference, html]) => inline ?? reference ?? html)
    .filter((target) => !/^([a-z]+:|#)/i.test(target))
  const dead = targets.filter((target) => {
    const path = posix.join('package', target.replace(/[#?].*$/, ''))
    return !packed.some((each) => each === path || each.startsWith(`${path.replace(/\/$/, '')}/`))
  })
  if (dead.length > 0) throw new Error(`not in the pack: ${dead.join(', ')}`)
}

async function usePack(name, files) {
  await inEmptyFolder((folder) => {
    const wanted = Object.fromEntries([name, 'core'].map((each) => [each, files[each]]))
    const came = install(folder, wanted).filter((each) => each !== `@ha/${name}` && each !== '@ha/core')
    const surprises = came.filter((each) => !allowed[name].includes(each))
    if (surprises.length > 0) throw new Error(`npm install @ha/${name} also brings ${surprises.join(', ')}`)
    checkSize(name, join(folder, 'node_modules/@ha'))
    useFrom(folder, name, entriesOf(name))
  })
}

function checkSize(name, folder) {
  if (mostBytes[name] === undefined) return
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
  const bytes = files.reduce((sum, file) => sum + statSync(file).size, 0)
  if (bytes > mostBytes[name]) throw new Error(`${bytes} bytes, more than ${mostBytes[name]}`)
  const fake = files.find((file) => /fake-(broker|cluster|server|ensemble)|tsbuildinfo/.test(file))
  if (fake !== undefined) throw new Error(`${fake} is no part of a client`)
}

// A formatter that takes the front matter for Markdown makes a heading of it, and the release fails long afterwards.
function checkChangesets() {
  const folder = `${root}/.changeset`
  const files = readdirSync(folder).filter((name) => name.endsWith('.md'))
  const broken = files.filter((name) => {
    const text = readFileSync(join(folder, name), 'utf8')
    return !/^---\n('@ha\/[a-z]+': (major|minor|patch)\n)+---\n\n\S/.test(text)
  })
  if (broken.length > 0) throw new Error(`no front matter with packages: ${broken.join(', ')}`)
}

const mostTokens = 60

// One logic for two clients belongs into core.
function checkCopies() {
  const folder = mkdtempSync(join(tmpdir(), 'ha-copies-'))
  try {
    const sources = ['rabbit', 'mariadb', 'zookeeper'].map((name) => `packages/${name}/src`)
    // jscpd counts a window and then trims its edges: what it finds with 40 and reports as 60 is 60.
    const limits = ['--min-tokens', '40', '--min-lines', '3']
    tool('jscpd', 'bin/jscpd', [...limits, '--reporters', 'json', '--output', folder, '--silent', ...sources])
    const { duplicates } = JSON.parse(readFileSync(join(folder, 'jscpd-report.json'), 'utf8'))
    const copies = duplicates
      .filter(({ tokens }) => tokens >= mostTokens)
      .map(({ firstFile, secondFile }) => [firstFile, secondFile])
      .filter(([a, b]) => clientOf(a) !== clientOf(b))
    if (copies.length > 0) {
      throw new Error(copies.map(([a, b]) => `${a.name}:${a.start} and ${b.name}:${b.start}`).join('\n'))
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function clientOf({ name }) {
  return /packages\/([a-z]+)\//.exec(name)?.[1]
}

function entriesOf(name) {
  const { exports } = JSON.parse(readFileSync(`${root}/packages/${name}/package.json`, 'utf8'))
  return Object.keys(exports)
    .filter((entry) => entry !== './package.json')
    .map((entry) => `@ha/${name}${entry.slice(1)}`)
}

function tool(name, program, args) {
  try {
    execFileSync(process.execPath, [`${root}/node_modules/${name}/${program}`, ...args], {
      cwd: root,
      encoding: 'utf8',
      stdio: 'pipe',
    })
  } catch (error) {
    throw new Error(`${error.stdout}${error.stderr}`.trim(), { cause: error })
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  prepare()
  const steps = new Steps()
  await checkPackages(steps)
  steps.end()
}
