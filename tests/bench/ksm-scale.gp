# SPDX-License-Identifier: GPL-2.0
#
# How cost grows with memory, from the table of ./lab bench ksm-scale, as SVG
# and PNG beside the table:
#
#	gnuplot -c tests/bench/ksm-scale.gp out/bench/ksm-scale.csv

csv = ARGC > 0 ? ARG1 : "out/bench/ksm-scale.csv"
base = csv[1:strlen(csv) - 4]

# MiB and the figure, without mitigations; the case is e.g. unique_64.
rows(kernel, content, metric) = sprintf("< awk -F, 'split($1, c, \"_\") == 2 && c[1] == \"%s\" && $3 == \"%s\" && $4 == \"%s\" && $9 == \"off\" { print c[2] \",\" $6 }' '%s'", content, kernel, metric, csv)
kernels = system(sprintf("awk -F, 'NR > 1 { print $3 }' '%s' | sort -Vu", csv))
contents = "unique identical"

set datafile separator ","
set xlabel "memory, MiB"
set logscale x 2
set xtics 64, 2, 1024
set xrange [56:1170]
set yrange [0:*]
set grid
set key bottom right

draw(metric) = "plot for [k in kernels] for [c in contents] rows(k, c, '" . metric . "') with linespoints lw 2 title c . ', Linux ' . k"

do for [type in "svg png"] {
	if (type eq "svg") {
		set terminal svg size 1200, 450 font "sans,11" background rgb "white"
	} else {
		set terminal pngcairo size 1200, 450 font "sans,11"
	}
	set output base . "." . type
	set multiplot layout 1, 3 title "mitigations=off"
	set title "Merging all"
	set ylabel "instructions a page"
	eval draw("converge_cpu")
	set title "A pass with nothing written"
	set ylabel "instructions a pass"
	eval draw("idle_pass")
	set title "A pass with 2 MiB written"
	eval draw("dirty_chunk_pass")
	unset multiplot
}
