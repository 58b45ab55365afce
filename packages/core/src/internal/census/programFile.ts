/** The owner of a file: the program, a library, Node or V8, by its path or URL. */

export const isLibraryFile = (file: string): boolean => /[\\/]node_modules[\\/]/.test(file)

/** Whether a file is the program's own: not Node's, not V8's, not a library's. */
export const isProgramFile = (file: string): boolean =>
  file !== "" && !/^(?:node:|native |evalmachine)/.test(file) && !isLibraryFile(file)
