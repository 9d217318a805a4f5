// Makes the root of another Debian release, with the servers of that release, for `hactl up KIND --root FOLDER`:
//   node tools/generation.mjs trixie|forky [FOLDER]
// It needs root and debootstrap, and takes about three minutes and 2 GB. Not a part of `npm test`.
import { spawnSync } from 'node:child_process'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { prepare } from './prepare.mjs'

const releases = ['trixie', 'forky']
const [release = '', given] = process.argv.slice(2)
if (!releases.includes(release)) fail(`usage: node tools/generation.mjs ${releases.join('|')} [FOLDER]`)
if (process.getuid() !== 0) fail('debootstrap needs root; run it with sudo')
const folder = resolve(
  given ?? join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'hactl', 'roots', release),
)
const isDone =
  existsSync(join(folder, 'usr/sbin/rabbitmq-server')) && existsSync(join(folder, 'usr/bin/java'))
if (!isDone) {
  makeRoot()
  installServers()
}
report()

function makeRoot() {
  if (existsSync(join(folder, 'bin', 'sh'))) return
  if (spawnSync('debootstrap', ['--version']).status !== 0)
    fail('debootstrap is missing; run: apt-get install debootstrap')
  console.log(`- making the root of ${release} in ${folder}`)
  mkdirSync(folder, { recursive: true })
  // An older debootstrap does not know the newest release; it is made like unstable.
  const scripts = '/usr/share/debootstrap/scripts'
  const script = existsSync(`${scripts}/${release}`) ? [] : [`${scripts}/sid`]
  run('debootstrap', ['--variant=minbase', release, folder, mirror(), ...script])
}

// The packages come from where this machine gets its own.
function mirror() {
  const sources = ['/etc/apt/sources.list', ...filesIn('/etc/apt/sources.list.d')].filter((path) =>
    existsSync(path),
  )
  const text = sources.map((path) => readFileSync(path, 'utf8')).join('\n')
  const found = /^(?:deb(?: \[[^\]]*\])? |URIs: *)(\S+)/m.exec(text)?.[1]
  return found ?? fail('no package source is listed in /etc/apt; add the one of this machine')
}

function filesIn(path) {
  return existsSync(path) ? readdirSync(path).map((name) => join(path, name)) : []
}

function installServers() {
  console.log('- installing RabbitMQ, MariaDB with Galera, and ZooKeeper in it')
  copyFileSync('/etc/hosts', join(folder, 'etc/hosts'))
  copyFileSync('/etc/resolv.conf', join(folder, 'etc/resolv.conf'))
  // No server of the root is started by its package.
  writeFileSync(join(folder, 'usr/sbin/policy-rc.d'), '#!/bin/sh\nexit 101\n', { mode: 0o755 })
  const packages = [
    ...['rabbitmq-server', 'mariadb-server', 'galera-4', 'galera-arbitrator-4', 'rsync'],
    ...['libzookeeper-java', 'default-jre-headless'],
  ]
  // A mirror that is a snapshot is out of date on purpose; its signature is checked all the same.
  const apt = 'apt-get -q -o Acquire::Check-Valid-Until=false'
  inRoot(`${apt} update && ${apt} install -y --no-install-recommends ${packages.join(' ')} && ${apt} clean`)
}

// In a mount namespace of its own: Java's package needs /proc, and nothing stays mounted.
function inRoot(command) {
  const mounts = ['proc', 'sys', 'dev'].map((name) => `mount --rbind /${name} "$0/${name}"`).join(' && ')
  run('unshare', ['--mount', 'sh', '-c', `${mounts} && exec chroot "$0" sh -c "$1"`, folder, command], {
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', DEBIAN_FRONTEND: 'noninteractive', LANG: 'C.UTF-8' },
  })
}

function report() {
  prepare()
  const hactl = fileURLToPath(new URL('../packages/bootstrap/dist/cli/hactl.js', import.meta.url))
  const { stdout } = spawnSync(process.execPath, [hactl, 'doctor', '--root', folder, '--json'], {
    encoding: 'utf8',
  })
  const about = ['rabbitmq', 'mariadb', 'zookeeper']
  for (const finding of JSON.parse(stdout).findings.filter((one) => about.includes(one.about)))
    console.log(`${finding.level.padEnd(7)}  ${finding.says}`)
  console.log(`Use it with: npm run hactl -- up rabbitmq --root ${folder}`)
}

function run(command, args, options = {}) {
  const { status, error } = spawnSync(command, args, { stdio: 'inherit', ...options })
  if (status === 0) return
  // A half-made root cannot be completed.
  if (command === 'debootstrap') rmSync(folder, { recursive: true, force: true })
  fail(`${command} failed: ${error?.message ?? `exit status ${status}`}`)
}

function fail(message) {
  console.error(message)
  process.exit(2)
}
