/**
 * What comes before a command that shall run in namespaces of its own. Its processes have a table of their own, whose
 * end is the end of the command: whatever it left running ends with it.
 */
export function unshareArgv(uid: number): readonly string[] {
  return [
    'unshare',
    ...userNamespaceArgs(uid),
    '--net',
    '--mount',
    '--pid',
    '--fork',
    '--kill-child',
    '--mount-proc',
  ]
}

// Root needs no namespace of users, and MariaDB would not find its own user in one. Anybody else stays who he is, and
// may do in the sandbox what root may do outside.
function userNamespaceArgs(uid: number): readonly string[] {
  return uid === 0 ? [] : ['--user', '--map-current-user', '--keep-caps']
}
