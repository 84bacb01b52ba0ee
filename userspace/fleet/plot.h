/* SPDX-License-Identifier: GPL-2.0 */
/* Plots of a result folder, by gnuplot: each as SVG and PNG. */
#ifndef FLEET_PLOT_H
#define FLEET_PLOT_H

/*
 * Draws what is in the folder: one experiment, or one for each back end.  An
 * exit status, after a word.
 */
int plot_folder(const char *folder);

/* The same at the end of a run, for which it is no failure if gnuplot is missing. */
int plot_results(const char *folder);

#endif /* FLEET_PLOT_H */
