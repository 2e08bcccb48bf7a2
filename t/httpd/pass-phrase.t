# Encrypted keys: each form of SSLPassPhraseDialog, what the one who is asked is told, how often anybody is asked over a
# start and restarts, wrong answers and none; mod_ssl asks in the same words.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use IO::Pty;
use IO::Select;
use POSIX ();
use Time::HiRes qw(time);
use SL::Certs;
use SL::Client;
use SL::Command qw(run slow slurp spew wait_until);
use SL::Httpd;
use SL::Parity;

plan skip_all => 'one process cannot be restarted gracefully' if ($ENV{SL_SAN} || '') eq 'tsan';

my $certs = SL::Certs->new;
my %pair  = map { $_->[0] => $certs->server('one.test', type => $_->[1], tag => "phrase-$_->[0]") } ['ec', 'ecdsa'], ['rsa', 'rsa'];
my $dir   = SL::Command::scratch_dir('sl-phrase');
my %key   = (
    pkcs8 => $certs->encrypted_key($pair{ec}{key}, 'open sesame'),
    other => $certs->encrypted_key($pair{ec}{key}, 'another'),
    pem   => "$dir/traditional.key",
    p12   => "$dir/both.p12",
);
is(run(['openssl', 'rsa', '-in', $pair{rsa}{key}, '-aes256', '-traditional', '-passout', 'pass:open sesame', '-out', $key{pem}])->{status}, 0,
    'a traditional key is made');
is(run(['openssl', 'pkcs12', '-export', '-in', $pair{ec}{full}, '-inkey', $pair{ec}{key}, '-passout', 'pass:open sesame', '-out', $key{p12}])->{status},
    0, 'a PKCS#12 file is made');
chmod 0600, $key{pem}, $key{p12};

# A program that writes down how it was called and answers with the text. `talks`: a line for each that says "Enter".
sub program {
    my ($name, @answers) = @_;
    my $talks = $name =~ /pipe/;
    my $list = join ',', map { "'$_'" } @answers;
    return spew("$dir/$name", "#!/usr/bin/perl\nuse Cwd;\$| = 1; my \@a = ($list);\nopen my \$o, '>>', '$dir/$name.asked'; select((select(\$o), \$| = 1)[0]);\n"
            . "print \$o join('|', 'called', \@ARGV), ' in ', getcwd(), ' with ', join(',', sort keys %ENV), \"\\n\";\n"
            . ($talks ? "while (sysread STDIN, my \$c, 1) { print \$o \$c; \$t .= \$c; print(shift(\@a), \"\\n\"), \$t = '' if \$t =~ /phrase:\\z/; last if !\@a && '$name' =~ /ends/ }\n" : "print shift(\@a), \"\\nmore\\n\";\n"), 0755);
}
sub asked { my ($name) = @_; my $text = slurp("$dir/$name.asked"); unlink "$dir/$name.asked"; return $text }

sub config {
    my ($dialog, @pairs) = @_;
    return ($dialog ? "SSLPassPhraseDialog $dialog\n" : '') . "Listen 127.0.0.1:\${port_https}\n<VirtualHost *:\${port_https}>\n ServerName one.test\n SSLEngine on\n"
        . join('', map { " SSLCertificateFile \"$_->[0]\"\n" . ($_->[1] ? " SSLCertificateKeyFile \"$_->[1]\"\n" : '') } @pairs) . "</VirtualHost>\n";
}
sub start_with { my (@config) = @_; my $h = SL::Httpd->new; $h->config(config(@config)); return $h }
sub serves { my ($h, $name) = @_; return is(SL::Client->new(port => $h->port('https'))->curl('https://one.test/')->{code}, 200, $name) }
my @ec  = ([$pair{ec}{full}, $key{pkcs8}]);
my @both = ([$pair{rsa}{full}, $key{pem}], [$pair{ec}{full}, $key{pkcs8}]);

# ---- a program, asked for each key ----
{
    my $program = program('exec', 'open sesame');
    my $copy = "$dir/copy.key";
    spew($copy, slurp($key{pkcs8}), 0600);
    my $httpd = start_with("exec:$program", [$pair{rsa}{full}, $key{pem}], [$pair{ec}{full}, $copy]);
    $httpd->start_ok or BAIL_OUT('httpd does not start');
    serves($httpd, 'exec: the keys are opened');
    is(asked('exec'), "called|one.test:443|RSA in $dir with \n", '... one question for two keys with one phrase and both passes of a start: host and port, RSA; nothing in the environment, in its folder');
    my $test = $httpd->configtest;
    is($test->{status}, 0, 'httpd -t accepts it');
    like($test->{err}, qr/SL0006: \S+:\d+: SSLCertificateKeyFile: \Q$key{pem}\E: was not looked into/, '... and tells which keys it did not open');
    is(asked('exec'), '', '... without asking');
    is($httpd->configtest('-t', '-D', 'ASK_PASS_PHRASES')->{status}, 0, 'httpd -t -D ASK_PASS_PHRASES accepts it too');
    like(asked('exec'), qr/\Acalled\|one\.test:443\|RSA [^\n]*\n\z/, '... and asks once');
    ok($httpd->restart, 'a graceful restart') for 1 .. 2;
    ok($httpd->restart(graceful => 0), 'a restart');
    is(asked('exec'), '', '... none of them asks');
    spew("$copy.new", slurp($key{pkcs8}), 0600);
    rename "$copy.new", $copy or die;
    ok($httpd->restart, 'a graceful restart after one key file was replaced');
    like(asked('exec'), qr/\Acalled\|one\.test:443\|DSA [^\n]*\n\z/, '... asks for that key, by its position as mod_ssl does');
    serves($httpd, '... and serves');
    spew("$copy.new", slurp($key{other}), 0600);
    rename "$copy.new", $copy or die;
    ok($httpd->restart, 'a graceful restart with a key that the answer does not open');
    like($httpd->new_log, qr/SL0004: \S+:\d+: SSLCertificateKeyFile: \Q$copy\E: .*the pass phrase is wrong/, '... tells so');
    serves($httpd, '... and goes on with the key it had');
    asked('exec');
    $httpd->stop;
}
for my $case (['PKCS#12 with certificate and key', [$key{p12}, undef]], ['PKCS#12 as key', [$pair{ec}{full}, $key{p12}]]) {
    my $httpd = start_with('exec:' . program('exec', 'open sesame'), $case->[1]);
    $httpd->start_ok("$case->[0]: starts") and serves($httpd, '... and serves');
    is(scalar(() = asked('exec') =~ /called/g), 1, '... and asked once');
    $httpd->stop;
}

# ---- answers that do not help ----

my $quiet = spew("$dir/quiet", "#!/bin/sh\nexit 3\n", 0755);
my $plain = spew("$dir/plain", "no program\n", 0644);
my $phrase_of = qr/SSLCertificateKeyFile: \Q$key{pkcs8}\E: .*/;
for my $case (
    ['a wrong answer', 'exec:' . program('wrong', 'sesame'), qr/${phrase_of}the pass phrase is wrong/],
    ['no answer', "exec:$quiet", qr/${phrase_of}no pass phrase was given: the program \Q$quiet\E gave none, it ended with status 3\. Correct SSLPassPhraseDialog/],
    ['a program that is none', "exec:$plain", qr/${phrase_of}the program \Q$plain\E cannot be started: Permission denied/],
    ['no such piped program', "|$dir/nothing", qr/${phrase_of}the program \Q$dir\E\/nothing cannot be started: No such file/],
    ['a piped program that ends', '"|' . program('pipe-ends', 'wrong') . '"', qr/${phrase_of}the pass phrase is wrong|${phrase_of}ended without an answer/],
    ['an answer too long', 'exec:' . program('long', 'x' x 2000), qr/${phrase_of}the pass phrase is longer than 1023 bytes/],
    ['no terminal', undef, qr/${phrase_of}no pass phrase was given: there is no terminal to ask on/],
    )
{
    my ($what, $dialog, $pattern) = @$case;
    my $httpd = start_with($dialog, @ec);
    # setsid: no controlling terminal, whoever runs the test.
    $httpd->write_config;
    my $r = run(['setsid', '-w', @{ $httpd->command('-DFOREGROUND') }], env => $httpd->environment, timeout => 20);
    isnt($r->{status}, 0, "$what: httpd does not start");
    like($r->{out} . $r->{err}, $pattern, '... and says why, with file and line') or diag $httpd->error_log;
    like($r->{out} . $r->{err}, qr/httpd\.conf:\d+: SSLCertificateKeyFile/, '... where');
}

# ---- a program that is asked again and again ----
{
    my $httpd = start_with('"|' . program('pipe', 'wrong', 'wrong', '', 'open sesame', 'another') . ' a b"', @both, [$pair{ec}{full}, $key{other}]);
    $httpd->start_ok or BAIL_OUT('httpd does not start');
    serves($httpd, 'pipe: the keys are opened');
    is(asked('pipe'), <<"SAID", '... by one program for all keys, told what mod_ssl tells');
called|a|b in $dir with 
Apache/@{[version()]} mod_ssl (Pass Phrase Dialog)
Some of your private key files are encrypted for security reasons.
In order to read them you have to provide the pass phrases.

Private key one.test:443:0 ($key{pem})
Enter pass phrase:
Apache:mod_ssl:Error: Pass phrase incorrect (5 more retries permitted).
Enter pass phrase:
Apache:mod_ssl:Error: Pass phrase incorrect (4 more retries permitted).
Enter pass phrase:
Apache:mod_ssl:Error: Pass phrase empty (needs to be at least 1 character).
Enter pass phrase:

OK: Pass Phrase Dialog successful.

Private key one.test:443:2 ($key{other})
Enter pass phrase:

OK: Pass Phrase Dialog successful.
SAID
    ok($httpd->restart, 'a graceful restart');
    is(asked('pipe'), '', '... asks nobody');
    is(scalar(grep { slurp("/proc/$_/cmdline") =~ /\Q$dir\E/ } $httpd->children), 0, '... and the program is gone');
    $httpd->stop;
}
sub version { return run([SL::Httpd::program(), '-v'])->{out} =~ m{Apache/(\S+)} ? $1 : '' }

# ---- the terminal ----

# Runs httpd on a terminal of its own, types a line for each "Enter pass phrase:", until `until` shows; what was on the screen.
sub on_terminal {
    my ($httpd, $done, @lines) = @_;
    my $pty = IO::Pty->new;
    my $slave = $pty->slave;
    $httpd->write_config;
    my $command = $httpd->command('-DFOREGROUND');
    my $env = $httpd->environment;
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        POSIX::setsid();
        $pty->make_slave_controlling_terminal;
        POSIX::dup2(fileno($slave), $_) for 0 .. 2;
        for (keys %$env) { defined $env->{$_} ? ($ENV{$_} = $env->{$_}) : delete $ENV{$_} }
        exec @$command or POSIX::_exit(127);
    }
    my ($screen, $answered, $deadline, $ended) = ('', 0, time + 25 * slow(), 0);
    while (time < $deadline && !$ended) {
        last if $done->($screen);
        if (IO::Select->new($pty)->can_read(0.05)) { sysread($pty, my $bytes, 4096); $screen .= $bytes // '' }
        my $questions = () = $screen =~ /Enter pass phrase:/g;
        if ($questions > $answered && @lines && is_silent($slave)) { $answered++; syswrite $pty, shift(@lines) . "\n" }
        $ended = waitpid($pid, POSIX::WNOHANG()) == $pid;
    }
    if (!$ended) { kill 'TERM', $pid; waitpid $pid, 0 }
    while (IO::Select->new($pty)->can_read(0.2)) { sysread $pty, my $rest, 4096 or last; $screen .= $rest }
    (my $text = $screen) =~ s/\r//g;
    return $text;
}
# Does the terminal echo no longer? Then it is being read from.
sub is_silent { my ($slave) = @_; my $t = POSIX::Termios->new; $t->getattr(fileno $slave); return !($t->getlflag & POSIX::ECHO()) }

my $terminal = sub {
    my ($tls) = @_;
    my $httpd = SL::Httpd->new(tls => $tls);
    $httpd->config(config(undef, @ec));
    my $up = sub { return slurp($httpd->root . '/logs/error') =~ /resuming normal operations/ };
    return on_terminal($httpd, $up, '', 'wrong', 'open sesame');
};
my $screen = $terminal->('securelayer');
like($screen, qr/\AApache\/\S+ mod_ssl \(Pass Phrase Dialog\)\nSome of your .*\n.*\n\nPrivate key one\.test:443:0 \(\Q$key{pkcs8}\E\)\nEnter pass phrase:/,
    'terminal: the question is put');
like($screen, qr/Pass phrase empty/, '... an empty answer is refused');
like($screen, qr/Pass phrase incorrect \(5 more retries permitted\)/, '... a wrong one too');
like($screen, qr/\nOK: Pass Phrase Dialog successful\.\n/, '... the right one opens the key');
is(scalar(() = $screen =~ /Enter pass phrase:/g), 3, '... and nobody is asked in the second pass');
unlike($screen, qr/sesame/, '... and nothing of it was shown');
my $theirs = $terminal->('mod_ssl');
s/(OK: Pass Phrase Dialog successful\.\n).*/$1/s for $screen, $theirs;
is($screen, $theirs, '... all in the words of mod_ssl');

# ---- mod_ssl ----

for my $how (qw(exec pipe)) {
    my %said;
    my $program = program($how, 'open sesame');
    for my $tls (qw(mod_ssl securelayer)) {
        my $httpd = SL::Httpd->new(tls => $tls);
        $httpd->config(config($how eq 'exec' ? "exec:$program" : "\"|$program\"", @ec));
        ok($httpd->start, "$how: $tls starts") or diag $httpd->said;
        serves($httpd, '... and serves');
        $said{$tls} = asked($how);
        $httpd->stop;
    }
    # mod_ssl's program may be gone before it is told of its success.
    for ($how eq 'pipe' ? values %said : ()) { s/ in \S+//; s/\n*(?:OK.*)?\z//s }
    is($said{securelayer}, $said{mod_ssl}, "$how: asked as mod_ssl asks");
}
parity(
    name     => 'wrong dialogs',
    config   => "SSLPassPhraseDialog $_\n" . config(undef, [$pair{ec}{full}, $pair{ec}{key}]),
    requests => [{ name => 'a page', url => 'https://one.test/' }],
) for 'nobody', 'exec:', '"|"', 'exec:/nothing/there', 'BUILTIN';
done_testing;
