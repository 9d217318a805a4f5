// What every command of this repository needs first: the packages installed and the sources built.
// Plain JavaScript, because it runs before anything is installed.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const pnpm = 'pnpm@12.21.0'

/** Installs and builds what is missing, and says so. Ends the process when that fails. */
export function prepare() {
  checkNode()
  install()
  build()
}

/** Runs a program of the repository in its root; returns its exit code. */
export function run(command, args, options = {}) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit', ...options })
  if (error) throw error
  return status ?? 1
}

/** Runs a program that was installed into node_modules. */
export function bin(name, args, options) {
  return run(process.execPath, [binPath(name), ...args], options)
}

function binPath(name) {
  const { bin } = JSON.parse(readFileSync(`${root}/node_modules/${packageOf[name]}/package.json`, 'utf8'))
  return `${root}/node_modules/${packageOf[name]}/${typeof bin === 'string' ? bin : bin[name]}`
}

const packageOf = {
  attw: '@arethetypeswrong/cli',
  biome: '@biomejs/biome',
  knip: 'knip',
  publint: 'publint',
  tsc: 'typescript',
  vitest: 'vitest',
}

function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  if (major > 20 || (major === 20 && minor >= 19)) return
  console.error(`This needs Node 20.19 or later; this is ${process.versions.node}.`)
  process.exit(1)
}

// The stamp says for which lockfile and which Node the packages were installed.
function install() {
  const lock = readFileSync(`${root}/pnpm-lock.yaml`)
  const wanted = createHash('sha256').update(lock).update(process.version).digest('hex')
  const stamp = `${root}/node_modules/.installed-for`
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return
  console.log(`- installing the packages with ${pnpm} (once, about ten seconds)`)
  const reporter = process.stdout.isTTY ? 'default' : 'append-only'
  const args = ['-y', pnpm, 'install', '--frozen-lockfile', `--reporter=${reporter}`]
  const { status, error } = spawnSync('npx', args, { cwd: root, stdio: 'inherit' })
  if (status !== 0) {
    console.error(
      `The packages could not be installed${error === undefined ? ': see above' : `: ${error.message}`}.`,
    )
    process.exit(1)
  }
  writeFileSync(stamp, wanted)
}

function build() {
  if (!existsSync(`${root}/bench/dist`)) console.log('- building the packages (once, a few seconds)')
  if (bin('tsc', ['-b']) === 0) return
  console.error('The sources do not build: see above.')
  process.exit(1)
}
