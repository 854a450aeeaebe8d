/** Text that a browser takes for what it is: whatever is put into `html` is escaped, but for what `html` has made. */

export interface Html {
  readonly html: string
}

type Part = string | Html | readonly Html[]

export const html = (texts: TemplateStringsArray, ...parts: readonly Part[]): Html => ({
  html: texts.map((text, index) => text + written(parts[index] ?? '')).join(''),
})

function written(part: Part): string {
  if (typeof part === 'string') return part.replace(/[&<>"'`]/g, character => `&#${character.charCodeAt(0)};`)
  return 'html' in part ? part.html : part.map(({ html: text }) => text).join('')
}
