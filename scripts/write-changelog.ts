/**
 * `node scripts/write-changelog.ts TAG`: what has changed since the version before that tag, as Markdown on stdout, from the
 * subjects of the commits. Without an earlier tag it is all there was.
 */
import { execFileSync } from 'node:child_process'

const titles: Readonly<Record<string, string>> = { feat: 'New', fix: 'Mended', perf: 'Faster', docs: 'Documentation' }

/** `feat(keys)!: …` of each commit, newest first → sections. What is of no other kind, tests and chores, is left out. */
export function changelogOf(subjects: readonly string[]): string {
  const commits = subjects.flatMap(subject => {
    const [, kind = '', scope, bang, text = ''] = /^(\w+)(?:\(([^)]+)\))?(!)?: (.+)$/.exec(subject) ?? []
    return kind === '' ? [] : [{ kind, line: `- ${scope ? `**${scope}**: ` : ''}${text}`, isBreaking: bang === '!' }]
  })
  const sections = [
    { title: 'Needs a change of yours', lines: commits.filter(({ isBreaking }) => isBreaking) },
    ...Object.entries(titles).map(([kind, title]) => ({
      title,
      lines: commits.filter(commit => commit.kind === kind && !commit.isBreaking),
    })),
  ]
  return sections
    .filter(({ lines }) => lines.length > 0)
    .map(({ title, lines }) => `## ${title}\n\n${lines.map(({ line }) => line).join('\n')}\n`)
    .join('\n')
}

if (import.meta.main) {
  const [tag] = process.argv.slice(2)
  if (tag === undefined) throw new Error('Usage: node scripts/write-changelog.ts TAG')
  const git = (...args: string[]) => execFileSync('git', args, { encoding: 'utf8' }).trim()
  const earlier = git('tag', '--merged', `${tag}^`, '--sort=-version:refname', '--list', 'v*').split('\n')[0]
  const range = earlier ? `${earlier}..${tag}` : tag
  process.stdout.write(changelogOf(git('log', '--no-merges', '--format=%s', range).split('\n')))
}
