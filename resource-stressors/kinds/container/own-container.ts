// In which container this process is, if it is in one: that one must not be touched.
import { hostname } from 'node:os'
import { join } from 'node:path'
import { readText } from '../../machine/files.ts'

/** Files that engines mount into each container from its own folder, /var/lib/docker/containers/<id>. */
const MOUNTED_FILES = new Set(['/etc/hostname', '/etc/hosts', '/etc/resolv.conf'])

/** @param root where `proc` is looked for, `/` */
export function ownContainer(root: string): (id: string) => boolean {
  const ids = new Set([...idsOfMounts(root), ...idsOfGroups(root)])
  const name = hostname()
  // What engines call a container's host unless told otherwise.
  const isShortId = /^[0-9a-f]{12}$/.test(name)
  return (id) => ids.has(id) || (isShortId && id.startsWith(name))
}

/** A line of /proc/[pid]/mountinfo: root and mount point are its fourth and fifth part. */
function idsOfMounts(root: string): string[] {
  const lines = (readText(join(root, 'proc/self/mountinfo')) ?? '').split('\n')
  return lines.flatMap((line) => {
    const [, , , source = '', point = ''] = line.split(' ')
    return MOUNTED_FILES.has(point) ? idsIn(source) : []
  })
}

/** `/docker/<id>`, or `/system.slice/docker-<id>.scope`, where the groups of the host can be seen. */
function idsOfGroups(root: string): string[] {
  return idsIn(readText(join(root, 'proc/self/cgroup')) ?? '')
}

function idsIn(text: string): string[] {
  return text.match(/(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])/g) ?? []
}
