/** Text as it may stand in the log: no control character, nothing that turns or hides what stands beside it, and not long. */

/** Controls (ANSI sequences begin with one), marks of direction, line separators, and what is there but has no width. */
const unseen = /[\p{Cc}\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/u
const everyUnseen = new RegExp(unseen, 'gu')

const printable = /^[\x20-\x7e]*$/

/** Whether it is nothing but ASCII that can be seen. */
export const isPrintable = (text: string): boolean => printable.test(text)

/** At most `maxChars` of it; what cannot be seen is written as `\u{9b}`, so that whoever prints the text prints that. */
export function safeText(text: string, maxChars: number): string {
  if (text.length <= maxChars && isPrintable(text)) return text
  const cut = text.length > maxChars ? `${text.slice(0, maxChars)}…` : text
  const whole = cut.isWellFormed() ? cut : cut.toWellFormed()
  return unseen.test(whole) ? whole.replace(everyUnseen, asEscape) : whole
}

const asEscape = (mark: string): string => `\\u{${(mark.codePointAt(0) ?? 0).toString(16)}}`
