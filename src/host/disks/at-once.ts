/** So many disks are worked on at a time: more would only crowd a small machine, and a disk shelf. */
export const disksAtOnce = 4;
