# Each fuzz target survives its time without a memory error, undefined behaviour, a leak or a broken promise.
# SL_FUZZ_SECONDS (12) is the time of each, SL_FUZZ_TARGETS names some of them.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use File::Copy qw(copy);
use Test::More;
use SL::Command qw(run scratch_dir slurp);

my $top     = "$FindBin::Bin/../..";
my $build   = "$top/build/fuzz";
my $seconds = $ENV{SL_FUZZ_SECONDS} || 12;
my @targets = split ' ', $ENV{SL_FUZZ_TARGETS} || join ' ', map {m{fuzz_(\w+)\.c$}} glob "$FindBin::Bin/fuzz_*.c";
my $library = "$build/mod_securelayer/.libs/libsecurelayer.a";
-e $library or BAIL_OUT("$library is not built: run t/check t/fuzz/fuzz_*.c");

# The flags that the library was built with.
sub make_variable {
    my ($name) = @_;
    my $r = run(['make', '-s', '-C', $build, '-f', 'Makefile', '--eval', "sl-print: ; \@echo \$($name)", 'sl-print']);
    return split ' ', $r->{out};
}
my @flags = map { make_variable($_) } qw(DEFS APR_CFLAGS APU_CFLAGS OPENSSL_CFLAGS);
my @libs  = map { make_variable($_) } qw(OPENSSL_LIBS CURL_LIBS APR_LIBS);

# What stands in quotes in these sources, as libFuzzer's dictionary.
sub dictionary {
    my ($dir, @sources) = @_;
    my %words;
    for my $source (@sources) {
        $words{$_} = 1 for map { /[\w.+-]{2,}/g } slurp("$top/$source") =~ /"((?:[^"\\\n]|\\.)*)"/g;
    }
    return [] unless %words;
    open my $out, '>', "$dir/words" or die "$dir/words: $!";
    print $out qq("$_"\n) for sort keys %words;
    close $out or die "$dir/words: $!";
    return ["-dict=$dir/words"];
}

for my $target (@targets) {
    my $scratch = scratch_dir("sl-fuzz-$target");
    my $program = "$scratch/fuzz_$target";
    my $source  = slurp("$FindBin::Bin/fuzz_$target.c");
    my @with    = map { "$top/$_" } map { split ' ' } $source =~ /Linked with: (.*?)\s*\*/;
    my $built   = run(
        [
            qw(clang -std=gnu11 -O1 -g -fno-omit-frame-pointer -fno-sanitize-recover=all),
            '-fsanitize=fuzzer,address,undefined', @flags, "-I$build", "-I$top/mod_securelayer", "-I$top/t/unit",
            "$FindBin::Bin/fuzz_$target.c", @with, $library, @libs, '-o', $program
        ],
        timeout => 120
    );
    is($built->{status}, 0, "$target: builds") or diag($built->{err}), next;

    # libFuzzer writes what it finds into the first folder, so it gets copies.
    mkdir "$scratch/$_" for qw(corpus seeds);
    my @seeds = glob "$FindBin::Bin/seeds/$target/*";
    copy($_, "$scratch/seeds") for @seeds;
    my $words = dictionary($scratch, $source =~ /Words from: (.*?)\s*\*/ ? split ' ', $1 : ());
    my $run   = run(
        [
            $program, @$words, "-max_total_time=$seconds", '-timeout=10', '-rss_limit_mb=2048', '-print_final_stats=1', '-verbosity=1',
            "-artifact_prefix=$scratch/", "$scratch/corpus", "$scratch/seeds"
        ],
        timeout => $seconds + 60,
        env     => { TMPDIR => $scratch, ASAN_OPTIONS => 'detect_leaks=1', UBSAN_OPTIONS => 'print_stacktrace=1', LSAN_OPTIONS => undef }
    );
    my ($count) = $run->{err} =~ /number_of_executed_units:\s*(\d+)/;
    my ($found) = glob "$scratch/{crash,leak,timeout,oom}-*";
    ok(!$run->{status} && !$run->{timed_out} && $count, "$target: @{[scalar @seeds]} seeds and $seconds seconds without a finding");
    if ($run->{status}) {
        my @lines = split /\n/, $run->{err};
        splice @lines, 0, @lines - 60 if @lines > 60;
        diag($_) for @lines;
        my $input = $found ? run(['base64', '-w0', $found])->{out} : 'none kept';
        diag("input, in base64: $input");
    }
    else { note("$count inputs") }
}
done_testing;
